"""Posts: dated changes of who is responsible, and the periods that follow from them.

The changes are kept for ever; `responsibility` holds what follows from them. What holds at a
time is what the last change up to it says, so the order in which files arrive does not matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, any_, cast, select, text
from sqlalchemy.dialects.postgresql import ARRAY, Range
from sqlalchemy.orm import Session

from data.models import Responsibility, ResponsibilityChange

__all__ = ["PostChange", "PostKey", "key_of", "periods", "record_changes"]

# Two changes of one moment: who goes out yields to who comes in, B to A.
_RANK = {"ended": 0, "B": 1, "A": 2}
_REPOINT = text("UPDATE assignment SET responsibility_id = :to WHERE responsibility_id = :was")


@dataclass(frozen=True, slots=True)
class PostKey:
    """Who, in which role, where, for which classes; see `data.models.responsibility`."""

    person_id: int | None
    unit_id: int | None
    role: str
    grid_id: int | None = None
    micro_grid: str | None = None
    division: str | None = None
    service_area_id: int | None = None
    class_scope: str | None = None

    def columns(self) -> dict[str, Any]:
        """As columns of a table."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class PostChange:
    """From a moment on a post is held as ``A`` or ``B``, or has ``ended``."""

    key: PostKey
    at: datetime
    state: str


def periods(
    changes: Iterable[tuple[datetime, str]],
) -> list[tuple[datetime, datetime | None, str]]:
    """Periods (begin, end or None, holder) that follow from the changes of one post.

    Examples
    --------
    >>> day = [datetime(2026, 1, n) for n in (1, 2, 3)]
    >>> found = periods([(day[2], "ended"), (day[0], "B"), (day[1], "A")])
    >>> [(begin.day, end and end.day, holder) for begin, end, holder in found]
    [(1, 2, 'B'), (2, 3, 'A')]
    """
    state: dict[datetime, str] = {}
    for at, new in changes:
        if at not in state or _RANK[new] > _RANK[state[at]]:
            state[at] = new
    steps: list[tuple[datetime, str]] = []
    for at in sorted(state):
        if not steps or steps[-1][1] != state[at]:
            steps.append((at, state[at]))
    bounded = [(at, until, holder) for (at, holder), (until, _) in pairwise(steps)]
    last = [(*steps[-1][:1], None, steps[-1][1])] if steps else []
    return [one for one in [*bounded, *last] if one[2] != "ended"]


def record_changes(
    session: Session, county: str, changes: Sequence[PostChange], *, author: str
) -> int:
    """Record changes and bring the periods of their posts in line; idempotent.

    Returns
    -------
    int
        How many changes were not known before.
    """
    if not changes:
        return 0
    session.execute(text("SELECT pg_advisory_xact_lock(20192, :county)"), {"county": int(county)})
    known = _known(session, county, {change.key for change in changes})
    fresh = []
    for change in dict.fromkeys(changes):
        if (change.at, change.state) not in known[change.key]:
            known[change.key].append((change.at, change.state))
            fresh.append(change)
    session.add_all(
        ResponsibilityChange(
            county=county, at=one.at, state=one.state, author=author, **one.key.columns()
        )
        for one in fresh
    )
    touched = {change.key for change in fresh}
    held = _periods_held(session, county, touched)
    for key in touched:
        _bring_in_line(session, county, key, held[key], periods(known[key]))
    session.flush()
    return len(fresh)


def _known(
    session: Session, county: str, keys: set[PostKey]
) -> dict[PostKey, list[tuple[datetime, str]]]:
    found: dict[PostKey, list[tuple[datetime, str]]] = defaultdict(list)
    for row in session.scalars(_of_holders(ResponsibilityChange, county, keys)):
        if (key := key_of(row)) in keys:
            found[key].append((row.at, row.state))
    return found


def _periods_held(
    session: Session, county: str, keys: set[PostKey]
) -> dict[PostKey, list[Responsibility]]:
    found: dict[PostKey, list[Responsibility]] = defaultdict(list)
    for row in session.scalars(_of_holders(Responsibility, county, keys)):
        if (key := key_of(row)) in keys:
            found[key].append(row)
    return found


def _of_holders(table: Any, county: str, keys: set[PostKey]) -> Any:
    people = [key.person_id for key in keys if key.person_id is not None]
    units = [key.unit_id for key in keys if key.unit_id is not None]
    return select(table).where(
        table.county == county,
        (table.person_id == any_(cast(people, ARRAY(BigInteger))))
        | (table.unit_id == any_(cast(units, ARRAY(BigInteger)))),
    )


def key_of(row: Responsibility | ResponsibilityChange) -> PostKey:
    """The post that a row is about."""
    return PostKey(
        row.person_id,
        row.unit_id,
        row.role,
        row.grid_id,
        row.micro_grid,
        row.division,
        row.service_area_id,
        row.class_scope,
    )


def _bring_in_line(
    session: Session,
    county: str,
    key: PostKey,
    held: list[Responsibility],
    wanted: list[tuple[datetime, datetime | None, str]],
) -> None:
    """Change the rows of one post to the periods wanted; a row lives on where it began.

    A moment at which a period once began stays inside one: each old row finds the new period
    that its beginning lies in, and what points to it is kept.
    """
    heirs: dict[int, Responsibility] = {}
    for row in sorted(held, key=_begin):
        index = next(
            i for i, (_, ends, _) in enumerate(wanted) if ends is None or _begin(row) < ends
        )
        heir = heirs.setdefault(index, row)
        if heir is not row:
            session.execute(_REPOINT, {"to": heir.id, "was": row.id})
            session.delete(row)
    # Emptied first: for a moment two rows of one post would otherwise overlap.
    changed = [i for i, row in heirs.items() if (_begin(row), row.valid.upper) != wanted[i][:2]]
    for index in changed:
        heirs[index].valid = Range(empty=True)
    session.flush()
    for index, (begins, ends, holder) in enumerate(wanted):
        if index not in heirs:
            period = Range(begins, ends)
            session.add(Responsibility(county=county, holder=holder, valid=period, **key.columns()))
            continue
        heirs[index].holder = holder
        if index in changed:
            heirs[index].valid = Range(begins, ends)


def _begin(row: Responsibility) -> datetime:
    begin = row.valid.lower
    assert begin is not None  # noqa: S101 - every period comes from a dated change
    return begin
