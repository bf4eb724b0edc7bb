"""Reports by the table: each row is an incident, or refused with its reason; nothing is lost."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from data.errors import SourceError
from data.moments import is_countable
from gis.errors import OneGridError
from grids.who import Directory
from routing.errors import ReportError
from routing.incidents.intake import Report, report_incident

__all__ = ["COLUMNS", "MOST_ROWS", "TakenRow", "report_table"]

COLUMNS = ("ref", "class", "x", "y", "description", "severity", "reported_at", "phone")
_NEEDED = ("class", "x", "y")
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class TakenRow:
    """What became of a row (1 for the first below the heading): its case code, or why not."""

    row: int
    case: str = ""
    reason: str = ""


def report_table(
    session: Session, county: str, content: bytes, crs: str, directory: Directory, *, actor: str
) -> list[TakenRow]:
    """Take a CSV table of reports (UTF-8 or GB18030) with columns of `COLUMNS`.

    A row with a ``ref`` that was taken before is the same incident again.

    Raises
    ------
    SourceError
        If the table cannot be read, lacks a column, or has more than `MOST_ROWS` rows.
    """
    made = []
    for number, row in enumerate(_rows(content), 1):
        if number > MOST_ROWS:
            raise SourceError(f"a table has at most {MOST_ROWS:,} rows")
        try:
            with session.begin_nested():
                report = _report(row, crs)
                incident, _ = report_incident(session, county, report, directory, actor=actor)
        except OneGridError as error:
            made.append(TakenRow(number, reason=str(error)))
        else:
            made.append(TakenRow(number, incident.source_ref))
    return made


def _rows(content: bytes) -> Iterator[Mapping[str, str]]:
    try:
        words = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            words = content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise SourceError("the table is neither UTF-8 nor GB18030") from error
    table = csv.DictReader(io.StringIO(words))
    try:
        if lacking := [name for name in _NEEDED if name not in (table.fieldnames or ())]:
            raise SourceError(f"the table has no column {', '.join(lacking)}")
        yield from table
    except csv.Error as error:
        raise SourceError(f"row {table.line_num}: {error}") from error


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
        receipt_key=f"csv:{said['ref']}"[:100] if said["ref"] else None,
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
