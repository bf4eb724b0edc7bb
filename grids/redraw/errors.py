"""Why an edit is refused, and where."""

from typing import Any

from gis.errors import OneGridError

__all__ = ["EditRefusedError"]


class EditRefusedError(OneGridError):
    """An edit that would break a rule of the plan, or that does not fit the draft.

    Attributes
    ----------
    rule : str
        Of ``contiguous``, ``one community``, ``empty``, ``coverage``, ``unknown`` (a block or
        grid that is not there), ``nothing`` (it would change nothing), ``code``, ``area``.
    place : shapely geometry or None
        The offending place, EPSG:4326.
    """

    def __init__(self, rule: str, message: str, place: Any = None) -> None:
        super().__init__(message)
        self.rule, self.place = rule, place
