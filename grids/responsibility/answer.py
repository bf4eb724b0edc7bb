"""What is asked of the responsibility engine, and what it answers; pure."""

from dataclasses import dataclass
from datetime import datetime

from grids.responsibility.records import AreaKey

__all__ = ["Holder", "Inquiry", "LeftOut", "StaffAnswer", "Step"]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Everything that an answer depends on: put again, it gives the same answer.

    Attributes
    ----------
    areas : tuple of AreaKey
        The areas that a place lies in, nearest first.
    grid_kind : str or None
        ``urban``, ``rural`` or ``dedicated``; None outside every grid.
    at : datetime
    class_code : str or None
        Class of incident; None asks for everybody.
    owner : str or None
        Name of the unit that owns the thing.
    """

    areas: tuple[AreaKey, ...]
    grid_kind: str | None
    at: datetime
    class_code: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone responsible, in which role, by which responsibility, and why.

    Attributes
    ----------
    responsibility_id : int or None
        None for a unit that a rule names, or a centre that takes what nobody else does.
    person_id, unit_id : int or None
        The one who answers; a unit whose telephone answers has no person.
    holder : str
        ``A`` or ``B``.
    by : str
        Kind of the area: ``grid``, ``community`` …; ``rule``; ``centre``.
    area : str
        Its code or name.
    stands_for : str or None
        Name of the person on leave whom this one stands in for.
    on_leave : bool
        True only where everybody is: the answer is never nobody.
    """

    responsibility_id: int | None
    person_id: int | None
    unit_id: int | None
    name: str
    role: str
    holder: str
    duty_phone: str | None
    mode: str
    by: str
    area: str
    stands_for: str | None = None
    on_leave: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A holder who is not in the answer, and why."""

    responsibility_id: int
    name: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of the trace: whether it was met, what it asked for, and who was found.

    Attributes
    ----------
    rule, name : str
        Its code and name.
    asked : str or None
        The role or unit; None where a condition was not met.
    outcome : str
        One of a few fixed texts, so that pages can say it in the reader's language.
    detail : str
        What it is about: who was found and where, or which class, owner, kind or division.
    """

    rule: str
    name: str
    asked: str | None
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StaffAnswer:
    """Who is responsible, who is asked first, and why.

    Attributes
    ----------
    people : tuple of Holder
        For each role the holders of the nearest area that has one, A before B.
    lead : Holder or None
        Whom the first rule that found somebody names; None only where the county has nobody.
    fallback : bool
        Whether no rule found anybody, so that the territory's centre takes it (属地兜底).
    """

    inquiry: Inquiry
    people: tuple[Holder, ...]
    lead: Holder | None
    fallback: bool
    trace: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]
