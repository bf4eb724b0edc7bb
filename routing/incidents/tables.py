"""Reports by the table: each row is an incident, or refused with its reason; nothing is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from data.errors import SourceError
from data.moments import is_countable
from data.readers import read_table
from data.sandbox import Limits
from gis.errors import OneGridError
from grids.who import Directory
from routing.errors import ReportError
from routing.incidents.intake import Report, report_incident

__all__ = ["COLUMNS", "MOST_ROWS", "TakenRow", "read_reports", "report_table"]

COLUMNS = ("ref", "class", "x", "y", "description", "severity", "reported_at", "phone")
_NEEDED = ("class", "x", "y")
MOST_ROWS = 10_000
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class TakenRow:
    """What became of a row (1 for the first below the heading): its case code, or why not."""

    row: int
    case: str = ""
    reason: str = ""


def read_reports(
    path: Path, *, name: str = "", limits: Limits | None = None
) -> Sequence[Mapping[str, str]]:
    """Read a table of reports, CSV (UTF-8 or GB18030) or XLSX, with columns of `COLUMNS`.

    Parameters
    ----------
    name : str
        What its author calls it, for messages.
    limits : Limits, optional
        Of a file that was sent; without them whoever runs the program named it.

    Raises
    ------
    SourceError
        If the table cannot be read, lacks a column, or has no row or more than `MOST_ROWS`.
    """
    rows = read_table(path, name=name, limits=limits).rows
    if not rows:
        raise SourceError(f"{name or path} has no row below its heading")
    if lacking := [column for column in _NEEDED if column not in rows[0]]:
        raise SourceError(f"the table has no column {', '.join(lacking)}")
    if len(rows) > MOST_ROWS:
        raise SourceError(f"a table has at most {MOST_ROWS:,} rows, this one {len(rows):,}")
    return rows


def report_table(
    session: Session,
    county: str,
    rows: Sequence[Mapping[str, str]],
    crs: str,
    directory: Directory,
    *,
    actor: str,
) -> list[TakenRow]:
    """Take the rows of a table of reports.

    A row with a ``ref`` that its actor sent before is the same incident again.
    """
    made = []
    for number, row in enumerate(rows, 1):
        try:
            with session.begin_nested():
                report = _report(row, crs)
                incident, _ = report_incident(session, county, report, directory, actor=actor)
        except OneGridError as error:
            # A reason may repeat what stands in a cell.
            made.append(TakenRow(number, reason=str(error)[:_LONGEST_REASON]))
        else:
            made.append(TakenRow(number, incident.source_ref))
    return made


def _report(row: Mapping[str, str], crs: str) -> Report:
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    return Report(
        "csv",
        said["class"],
        _number(said, "x"),
        _number(said, "y"),
        crs,
        description=said["description"],
        severity=said["severity"] or "general",
        reported_at=_moment(said["reported_at"]),
        receipt_key=said["ref"] or None,
        phone=said["phone"][:40],
    )


def _number(said: Mapping[str, str], name: str) -> float:
    try:
        return float(said[name])
    except ValueError:
        raise ReportError("place", f"{name} {said[name][:40]!r} is no number") from None


def _moment(said: str) -> datetime | None:
    if not said:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise ReportError("reported_at", f"the time {said[:40]!r} is none (ISO 8601)") from None
    if not is_countable(moment):
        raise ReportError("reported_at", f"the year {moment.year} cannot be meant")
    return moment
