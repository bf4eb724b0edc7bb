"""Why a transition is refused, and which calendars and flows cannot be used."""

from gis.errors import OneGridError

__all__ = ["CalendarError", "FlowError", "TransitionRefusedError"]


class FlowError(OneGridError):
    """A flow that cannot be used: a state that leads nowhere, an end without verification."""


class CalendarError(OneGridError):
    """A time that the working calendar does not reach, or hours that do not fit a day."""


class TransitionRefusedError(OneGridError):
    """A transition that the flow does not allow.

    Attributes
    ----------
    rule : str
        Of ``state`` (not from here), ``actor`` (not by this role), ``missing`` (something must
        be given: a reason, a person), or the guard that is not met.
    needed : str
        What is missing; empty otherwise.
    """

    def __init__(self, rule: str, message: str, needed: str = "") -> None:
        super().__init__(message)
        self.rule, self.needed = rule, needed
