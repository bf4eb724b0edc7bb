"""Names in lists → what is held: people, units, divisions and other areas; never a guess."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.importing.columns import CellError
from data.models import IncidentClass

__all__ = ["AreaRef", "Names", "classes_by_name"]

# A table of `responsibility`'s area columns: the one that is meant, and its value.
AreaRef = tuple[str, int | str]

_GRIDS = text(
    "SELECT id, code, lower(valid) AS begins, upper(valid) AS ends FROM grid "
    "WHERE county = :county ORDER BY lower(valid)"
)
_MICRO = text("SELECT DISTINCT code FROM micro_grid WHERE county = :county")


class Names:
    """Looks up what a county's lists name; loads each table when it is first needed."""

    def __init__(self, session: Session, county: str) -> None:
        self._session, self._key = session, {"county": county}
        self._tables: dict[str, dict[str, set[int | str]]] = {}

    def person(self, name: str) -> int:
        """Id of a person by number or name."""
        return int(self._one("person", name, "person"))

    def unit(self, name: str) -> int:
        """Id of a unit by number or name."""
        return int(self._one("unit", name, "unit"))

    def division(self, name: str) -> str:
        """Code of a division by code or name."""
        return str(self._one("division", name, "division"))

    def grid(self, code: str, at: datetime) -> int:
        """Id of the grid that has a code at a time."""
        for begins, ends, grid in self._grids.get(code, []):
            if begins <= at and (ends is None or at < ends):
                return grid
        raise CellError(f"there is no grid {code!r} at {at:%Y-%m-%d %H:%M}")

    def area(self, name: str, at: datetime) -> AreaRef:
        """The grid, micro-grid, division or service area that is called so at a time."""
        found: list[AreaRef] = []
        if name in self._grids:
            found.append(("grid_id", self.grid(name, at)))
        if name in self._micro_grids:
            found.append(("micro_grid", name))
        for table, column in (("division", "division"), ("service_area", "service_area_id")):
            found += [(column, one) for one in self._table(table).get(name, ())]
        if not found:
            raise CellError(f"no area is called {name!r}")
        if len(found) > 1:
            raise CellError(f"{len(found)} areas are called {name!r}: give the code")
        return found[0]

    def numbered(self, table: str, name: str = "source_ref") -> dict[str, set[int]]:
        """Ids by number in the source, and by another column."""
        rows = self._session.execute(
            text(
                f"SELECT id, source_ref, {name} AS name FROM {table} "  # noqa: S608 - ours
                "WHERE county = :county"
            ),
            self._key,
        )
        found: dict[str, set[int]] = {}
        for row in rows:
            for called in (row.source_ref, row.name):
                found.setdefault(called, set()).add(row.id)
        return found

    def _one(self, table: str, name: str, what: str) -> int | str:
        found = self._table(table).get(name, set())
        if not found:
            raise CellError(f"no {what} is called {name!r}")
        if len(found) > 1:
            raise CellError(f"{len(found)} have the name {name!r}: give the number of the {what}")
        return next(iter(found))

    def _table(self, table: str) -> dict[str, set[int | str]]:
        if table not in self._tables:
            own = "code" if table == "division" else "id"
            refs = "code" if table == "division" else "source_ref"
            rows = self._session.execute(
                text(
                    f"SELECT {own} AS own, {refs} AS ref, name FROM {table} "  # noqa: S608 - ours
                    "WHERE county = :county"
                ),
                self._key,
            )
            self._tables[table] = _by_name((r.own, r.ref, r.name) for r in rows)
        return self._tables[table]

    @cached_property
    def _grids(self) -> dict[str, list[tuple[datetime, datetime | None, int]]]:
        held: dict[str, list[tuple[datetime, datetime | None, int]]] = {}
        for r in self._session.execute(_GRIDS, self._key):
            held.setdefault(r.code, []).append((r.begins, r.ends, r.id))
        return held

    @cached_property
    def _micro_grids(self) -> set[str]:
        return set(self._session.scalars(_MICRO, self._key))


def _by_name(rows: Iterable[tuple[int | str, str, str]]) -> dict[str, set[int | str]]:
    """Number or name → what has it; a number beats a name."""
    listed = list(rows)
    found: dict[str, set[int | str]] = defaultdict(set)
    numbers = {ref for _, ref, _ in listed}
    for own, ref, name in listed:
        found[ref].add(own)
        if name not in numbers:
            found[name].add(own)
    return found


def classes_by_name(session: Session) -> dict[str, str]:
    """Codes, names and English names of incident classes → code."""
    found: dict[str, str] = {}
    for known in session.scalars(select(IncidentClass)):
        found |= dict.fromkeys((known.code, known.name, known.name_en), known.code)
    return found
