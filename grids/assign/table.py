"""Assigning a table of any size: in chunks, resumable, refused rows with their reasons."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data.bulk import SUFFIXES, Chunk, Spool, open_source, write_refused, write_target
from data.bulk.placing import Placed, place
from data.bulk.room import require_left, require_room
from data.bulk.spool import refusals
from data.bulk.target import GEOMETRY, point_wkb, require_size, too_large
from data.errors import SourceError
from data.importing.columns import names_of, recognise
from data.importing.rows import stated_crs
from data.importing.sources import INCIDENT_RESOLUTION
from data.sandbox import Limits
from gis.cells import cells_of_points
from gis.crs import SourceCrs
from grids.assign.engine import Assigned, Assigner

__all__ = ["AssignOptions", "TableReport", "assign_table"]

CHUNK_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class AssignOptions:
    """How a table is read.

    Attributes
    ----------
    crs : str or None
        Where the file does not state it.
    columns : mapping
        Heading in the file → name wanted (``lon``, ``lat``, ``class``, ``owner``, ``address``).
    by_class : bool
        Whether the rows' class of incident, and their owner, decide who leads.
    classes : mapping
        Name or code of a class → code.
    name : str
        What the table's author calls it, for messages; its path by default.
    limits : Limits, optional
        Of a table that was sent; none where whoever runs the program named it.
    most_bytes : int, optional
        How large what comes of it may be; without it as large as the disk.
    """

    crs: str | None = None
    columns: Mapping[str, str] | None = None
    by_class: bool = False
    classes: Mapping[str, str] | None = None
    encoding: str | None = None
    rows: int = CHUNK_ROWS
    name: str = ""
    limits: Limits | None = None
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was done: read = placed + refused; the warning says so where no row was placed."""

    source: str
    read: int
    placed: int
    refused: int
    fallback: int
    resumed: int
    warning: str = ""

    def summary(self) -> str:
        """One line for people."""
        text = f"{self.source}: {self.read} read = {self.placed} placed + {self.refused} refused"
        if self.fallback:
            text += f"; {self.fallback} left to the territory's centre"
        text += f"; went on after row {self.resumed}" if self.resumed else ""
        return text + (f"; {self.warning}" if self.warning else "")

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def assign_table(
    assigner: Assigner,
    source: Path,
    target: Path,
    *,
    options: AssignOptions | None = None,
    version: str = "",
    progress: Callable[[float, int, int], None] | None = None,
) -> TableReport:
    """Add grid, people and H3 cell to every row of a table.

    Interrupted, it goes on where it stopped when called again; the output appears whole or
    not at all. Rows that cannot be placed go to ``TARGET.refused.csv`` with the reason.

    Parameters
    ----------
    source : Path
        CSV (also .gz), XLSX, Parquet or a vector file with points.
    target : Path
        ``.csv``, ``.parquet``, ``.gpkg`` or ``.geojson``.
    version : str
        Of plan and staff: parts made with another are thrown away.
    progress : callable, optional
        Called with the share done, the rows placed and the rows refused.

    Raises
    ------
    SourceError
        If the file cannot be read, or the disk is full.
    CrsError
        If no coordinate system is stated, or two that differ.
    """
    how = options or AssignOptions()
    if target.suffix.lower() not in SUFFIXES:
        raise SourceError(f"{target} is none of {', '.join(SUFFIXES)}")
    opening = open_source(
        source, how.columns, encoding=how.encoding, name=how.name, limits=how.limits
    )
    with opening as opened:
        crs = stated_crs(opened.crs, how.crs)
        require_room(source, target)
        spool = Spool(target, _about(assigner, source, how, version))
        done = len(spool)
        placed, refused = spool.counts()
        resumed = placed + refused
        work, size = _Work(assigner, how, crs), 0
        try:
            for chunk in opened.chunks(how.rows, done * how.rows):
                good, bad = work.run(chunk)
                size += good.nbytes + bad.nbytes
                _require_room_for(size, target, how.most_bytes)
                spool.add(good, bad)
                placed, refused = placed + len(good), refused + len(bad)
                if progress is not None:
                    progress(opened.fraction, placed, refused)
            if not len(spool):
                raise SourceError(f"{how.name or source} has no rows")
        finally:
            if not len(spool):
                spool.remove()
    fallback = spool.count("fallback", "1")
    warning = "" if placed else f"no row was placed; the first is {spool.first_refusal()}"
    write_target((part.placed for part in spool.parts()), target, most_bytes=how.most_bytes)
    write_refused((part.refused for part in spool.parts()), refused_path(target))
    require_size(refused_path(target), how.most_bytes)
    spool.remove()
    return TableReport(source.name, placed + refused, placed, refused, fallback, resumed, warning)


def _require_room_for(size: int, target: Path, most_bytes: int | None) -> None:
    """Refuse while it grows what would become too large; a file is about as long as its rows."""
    if most_bytes is not None:
        require_left(target.resolve().parent)
        if size > most_bytes:
            raise SourceError(too_large(most_bytes))


def _about(assigner: Assigner, source: Path, how: AssignOptions, version: str) -> dict[str, Any]:
    """What the parts of an output depend on."""
    facts = source.stat()
    return {
        "at": assigner.at.isoformat(),
        "source": [str(source.resolve()), facts.st_size, facts.st_mtime_ns],
        "options": [how.crs, dict(how.columns or {}), how.by_class, how.encoding, how.rows],
        "roles": list(assigner.roles),
        "version": version,
    }


def begun_at(target: Path) -> datetime | None:
    """As of when an interrupted output was begun, None where there is none: it goes on so."""
    stated = Spool.about(target).get("at")
    return None if stated is None else datetime.fromisoformat(stated)


def refused_path(target: Path) -> Path:
    """Where the refused rows of an output go."""
    return target.with_name(f"{target.name}.refused.csv")


class _Work:
    """One chunk after another → its rows with what is added, and its refused rows."""

    def __init__(self, assigner: Assigner, options: AssignOptions, crs: SourceCrs) -> None:
        self._assigner, self._options, self._crs = assigner, options, crs

    def run(self, chunk: Chunk) -> tuple[pa.Table, pa.Table]:
        """Assign a chunk: rows placed, and rows refused."""
        names = chunk.table.column_names
        wanted = ("lon", "lat", "class", "owner", "address")
        columns = recognise(names, wanted) if names else {}
        if chunk.geometry is None:
            _require_place(names, columns)
        placed = place(chunk, columns, self._crs)
        refused = dict(placed.refused)
        classes = self._classes(chunk, columns, refused)
        keep = np.array([at for at in range(len(placed.lon)) if at not in refused], np.int64)
        texts = {
            name: _texts(chunk, columns[name], keep)
            for name in ("owner", "address")
            if name in columns
        }
        assigned = self._assigner.assign(
            placed.lon[keep],
            placed.lat[keep],
            classes=None if classes is None else [classes[at] for at in keep.tolist()],
            owners=texts.get("owner") if self._options.by_class else None,
            addresses=texts.get("address"),
        )
        for at, reason in assigned.outside.items():
            refused[int(keep[at])] = reason
        inside = assigned.index >= 0
        good = self._rows(chunk, placed, assigned, keep[inside])
        return good, _refused(chunk, refused)

    def _classes(
        self, chunk: Chunk, columns: dict[str, str], refused: dict[int, str]
    ) -> list[str | None] | None:
        if not self._options.by_class:
            return None
        if "class" not in columns:
            raise SourceError("there is no column with the class: name it with --column")
        known = self._options.classes or {}
        found: list[str | None] = []
        for at, cell in enumerate(chunk.table.column(columns["class"]).to_pylist()):
            code = known.get(str(cell or "").strip())
            if code is None:
                refused.setdefault(at, f"class {cell!r} is not in the class table")
            found.append(code)
        return found

    def _rows(self, chunk: Chunk, placed: Placed, assigned: Assigned, rows: Any) -> pa.Table:
        headings = self._assigner.headings
        lon, lat = placed.lon[rows], placed.lat[rows]
        cells = cells_of_points(lon, lat, INCIDENT_RESOLUTION).tolist()
        own = [n for n in chunk.table.column_names if n not in {*headings, "h3_cell", GEOMETRY}]
        kept = chunk.table.select(own).take(pa.array(rows, pa.int64()))
        which = pa.array(assigned.index[assigned.index >= 0], pa.int64())
        answers = assigned.answers or [(None,) * len(headings)]
        added = [
            pa.array(column, pa.int32() if name == "grid_count" else pa.string()).take(which)
            for name, column in zip(headings, zip(*answers, strict=True), strict=True)
        ]
        return pa.table(
            [
                *kept.columns,
                *added,
                pa.array([f"{cell:x}" for cell in cells], pa.string()),
                point_wkb(lon, lat),
            ],
            [*own, *headings, "h3_cell", GEOMETRY],
        )


def _require_place(names: list[str], columns: dict[str, str]) -> None:
    for wanted in ("lon", "lat"):
        if wanted not in columns:
            raise SourceError(
                f"no column is called {wanted} ({', '.join(names_of(wanted))}): there are "
                f"{', '.join(map(repr, names))[:300]}; rename it, or name it with --column"
            )


def _texts(chunk: Chunk, heading: str, keep: Any) -> list[str | None]:
    """Cells of some rows as text, None where there is none."""
    cells = chunk.table.column(heading).to_pylist()
    return [
        str(cells[at]).strip() or None if cells[at] is not None else None for at in keep.tolist()
    ]


def _refused(chunk: Chunk, refused: dict[int, str]) -> pa.Table:
    order = sorted(refused)
    numbers = [chunk.first + at for at in order]
    rows = chunk.table.take(pa.array(order, pa.int64()))
    return refusals(numbers, [refused[at] for at in order], rows)
