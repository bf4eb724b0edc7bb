"""What the responsibility engine knows: people, units, posts, leave, rosters, rules; pure.

Times are seconds since 1970 (UTC); a period holds from `begins` on and before `ends`.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = [
    "AREA_KINDS",
    "AreaKey",
    "Away",
    "Hours",
    "IncidentKind",
    "Moment",
    "PersonFacts",
    "Post",
    "Rule",
    "Shift",
    "UnitFacts",
]

# Hours and days of the week in rules and rosters are Beijing time.
_ZONE = ZoneInfo("Asia/Shanghai")
# Nearest first: whom a wider area names is asked where the narrower has nobody.
AREA_KINDS = ("micro_grid", "grid", "service_area", "community", "town", "county")
# Kind and code: ("grid", "150502001001003"), ("service_area", "12"), ("town", "150502001000").
AreaKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, as the engine compares it.

    Attributes
    ----------
    at : float
        Seconds since 1970.
    weekday : int
        1 for Monday, in local time.
    minute : int
        Of the day, in local time.
    """

    at: float
    weekday: int
    minute: int

    @classmethod
    def of(cls, time: datetime) -> "Moment":
        """The moment of a time with a zone."""
        local = time.astimezone(_ZONE)
        return cls(time.timestamp(), local.isoweekday(), local.hour * 60 + local.minute)


@dataclass(frozen=True, slots=True)
class Hours:
    """Days of the week and hours of the day; hours may run past midnight.

    Attributes
    ----------
    weekdays : frozenset of int
        On which the hours begin; empty for every day.
    starts, ends : int or None
        Minute of the day; None for the whole day.

    Examples
    --------
    >>> night = Hours(frozenset({5}), 22 * 60, 6 * 60)
    >>> night.hold(Moment(0.0, 6, 5 * 60)), night.hold(Moment(0.0, 6, 23 * 60))
    (True, False)
    """

    weekdays: frozenset[int] = frozenset()
    starts: int | None = None
    ends: int | None = None

    def hold(self, moment: Moment) -> bool:
        """Whether a moment is inside."""
        day = moment.weekday
        if self.starts is not None and self.ends is not None:
            late = moment.minute >= self.starts
            early = moment.minute < self.ends
            if self.starts < self.ends:
                if not (late and early):
                    return False
            elif early and not late:
                day = (day - 2) % 7 + 1
            elif not late:
                return False
        return not self.weekdays or day in self.weekdays


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person: how to reach and how they move.

    Attributes
    ----------
    private_phone : str or None
        Only where the person has agreed that it is shown.
    has_photo : bool
        Likewise.
    """

    id: int
    name: str
    duty_phone: str | None
    mode: str
    unit: int | None = None
    private_phone: str | None = None
    has_photo: bool = False


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A centre, station or department; `area` is the division that a centre serves."""

    id: int
    name: str
    kind: str
    duty_phone: str
    area: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """A period in which a person or a unit holds a role in an area, as A or B.

    Attributes
    ----------
    scope : str or None
        A class of incident or a group of them; None for all.
    area_name : str
        As answers show it.
    """

    id: int
    person: int | None
    unit: int | None
    role: str
    holder: str
    area: AreaKey
    area_name: str
    scope: str | None
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Away:
    """A person's leave, and who stands in."""

    begins: float
    ends: float
    deputy: int | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """A unit's duty: by a person, or by whoever answers its telephone."""

    person: int | None
    presence: str
    begins: float
    ends: float
    hours: Hours = Hours()


@dataclass(frozen=True, slots=True)
class IncidentKind:
    """A class of incident: its group, and the role that goes."""

    code: str
    group: str
    role: str

    @property
    def scopes(self) -> tuple[str, str]:
        """What a post or a rule for this class may name."""
        return self.code, self.group


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, and whom to ask where all are met; None is always met."""

    code: str
    name: str
    grid_kind: str | None = None
    division: str | None = None
    scope: str | None = None
    owner: str | None = None
    hours: Hours = Hours()
    to_role: str | None = None
    to_unit: str | None = None
    to_owner: bool = False
