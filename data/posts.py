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
from sqlalchemy.orm.attributes import set_committed_value

from data.models import Responsibility, ResponsibilityChange
from data.store import upsert

__all__ = ["PostChange", "PostKey", "periods", "posts_held", "record_changes"]

# From when, until when, as A or B.
Period = tuple[datetime, datetime | None, str]
# Two changes of one moment: who goes out yields to who comes in, B to A.
_RANK = {"ended": 0, "B": 1, "A": 2}
_ENDS = text(
    "UPDATE responsibility SET valid = tstzrange(lower(valid), given.until) FROM unnest("
    "CAST(:ids AS bigint[]), CAST(:ends AS timestamptz[])) AS given (id, until) "
    "WHERE responsibility.id = given.id"
)
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


def periods(changes: Iterable[tuple[datetime, str]]) -> list[Period]:
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
    own = {"county": county, "author": author}
    rows = [own | {"at": one.at, "state": one.state} | one.key.columns() for one in fresh]
    upsert(session, "responsibility_change", rows, key=())
    touched = {change.key for change in fresh}
    held = _periods_held(session, county, touched)
    wanted = {key: periods(known[key]) for key in touched}
    ended = {key for key in touched if _only_ends(held[key], wanted[key])}
    _end(session, [(held[key][0], wanted[key][0][1]) for key in ended])
    begun = {key for key in touched if not held[key]}
    _begin_all(session, county, {key: wanted[key] for key in begun})
    for key in touched - ended - begun:
        _bring_in_line(session, county, key, held[key], wanted[key])
    session.flush()
    return len(fresh)


def _only_ends(held: list[Responsibility], wanted: list[Period]) -> bool:
    """Whether one period stays as it is but for its end: what a publication does to most posts."""
    if len(held) != 1 or len(wanted) != 1:
        return False
    return (_begin(held[0]), held[0].holder) == (wanted[0][0], wanted[0][2])


def _end(session: Session, ends: list[tuple[Responsibility, datetime | None]]) -> None:
    """Give periods their ends, all in one statement."""
    if not ends:
        return
    key = {"ids": [row.id for row, _ in ends], "ends": [end for _, end in ends]}
    session.execute(_ENDS, key)
    for row, end in ends:
        set_committed_value(row, "valid", Range(_begin(row), end))


def _begin_all(session: Session, county: str, wanted: dict[PostKey, list[Period]]) -> None:
    """Write the periods of posts that nobody has held."""
    rows = [
        {"county": county, "holder": holder, "valid": Range(begins, ends), **key.columns()}
        for key, several in wanted.items()
        for begins, ends, holder in several
    ]
    upsert(session, "responsibility", rows, key=())


def _known(
    session: Session, county: str, keys: set[PostKey]
) -> dict[PostKey, list[tuple[datetime, str]]]:
    found: dict[PostKey, list[tuple[datetime, str]]] = defaultdict(list)
    table = ResponsibilityChange
    columns = (*(getattr(table, name) for name in PostKey.__slots__), table.at, table.state)
    # Plain rows: a publication asks for those of the whole county's staff.
    for *post, at, state in session.execute(_of_holders(table, county, keys, *columns)):
        if (key := PostKey(*post)) in keys:
            found[key].append((at, state))
    return found


def _periods_held(
    session: Session, county: str, keys: set[PostKey]
) -> dict[PostKey, list[Responsibility]]:
    found: dict[PostKey, list[Responsibility]] = defaultdict(list)
    for row in session.scalars(_of_holders(Responsibility, county, keys)):
        if (key := _key_of(row)) in keys:
            found[key].append(row)
    return found


def _of_holders(table: Any, county: str, keys: set[PostKey], *columns: Any) -> Any:
    people = [key.person_id for key in keys if key.person_id is not None]
    units = [key.unit_id for key in keys if key.unit_id is not None]
    return select(*(columns or (table,))).where(
        table.county == county,
        (table.person_id == any_(cast(people, ARRAY(BigInteger))))
        | (table.unit_id == any_(cast(units, ARRAY(BigInteger)))),
    )


def posts_held(session: Session, *conditions: Any) -> list[tuple[int, PostKey, str]]:
    """Number, post and holder of periods, as plain rows: there may be a county's staff of them.

    Parameters
    ----------
    conditions
        Of `Responsibility`, all of which must hold.
    """
    columns = (getattr(Responsibility, name) for name in PostKey.__slots__)
    query = select(Responsibility.id, Responsibility.holder, *columns).where(*conditions)
    return [(number, PostKey(*post), holder) for number, holder, *post in session.execute(query)]


def _key_of(row: Responsibility) -> PostKey:
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
    wanted: list[Period],
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
