"""Cells that a spreadsheet runs: what somebody types is a text in every table that staff open.

The attack: a table whose notes are formulas (``=cmd|' /C calc'!A0``) is sent, and whoever opens
the table that comes of it starts a program.
"""

import csv
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.bulk import write_refused, write_target
from data.bulk.spool import refusals
from data.bulk.target import GEOMETRY, point_wkb
from data.exporting import write_table
from data.importing.columns import text
from data.importing.report import ImportReport
from data.safe_cells import safe_cell, safe_cells

EVIL = [
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "-A1",
    "＝1+1",
    "＠SUM(1)",
    "-1\n=2",
]
HARMLESS = ["", "-", "-2.5", "-1e-5", "-,5", "网格", "7", "a=b", "'x", " =1", "王-1"]


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def test_a_formula_gets_a_quote_and_a_number_does_not() -> None:
    assert [safe_cell(one) for one in EVIL] == [f"'{one}" for one in EVIL]
    assert [safe_cell(one) for one in HARMLESS] == HARMLESS
    both = [*EVIL, *HARMLESS, None]
    said = safe_cells(pa.array(both)).to_pylist()
    assert said == [None if one is None else safe_cell(one) for one in both]


@pytest.mark.parametrize("cell", [*EVIL, *HARMLESS])
def test_what_was_made_harmless_is_read_as_it_was_meant(cell: str) -> None:
    assert text({"c": safe_cell(cell)}, "c") in {cell, cell.strip()}


def test_tables_of_jobs_hold_no_formulas(tmp_path: Path) -> None:
    rows = len(EVIL)
    own = pa.table({"=note": EVIL, "n": pa.array(range(rows)), "b": [b"\xff=1"] * rows})
    placed = pa.table(
        [*own.columns, point_wkb([1.0] * rows, [2.0] * rows)], [*own.column_names, GEOMETRY]
    )
    pq.write_table(placed, tmp_path / "placed.parquet")
    pq.write_table(refusals(list(range(rows)), EVIL, own), tmp_path / "refused.parquet")
    write_target([tmp_path / "placed.parquet"], tmp_path / "assigned.csv")
    write_refused([tmp_path / "refused.parquet"], tmp_path / "refused.csv")
    for name in ("assigned.csv", "refused.csv"):
        cells = [cell for line in read(tmp_path / name) for cell in line]
        assert set(map(safe_cell, cells)) == set(cells), name
        assert sum(cell.startswith("'") for cell in cells) > rows


def test_a_refused_row_says_a_short_reason() -> None:
    table = refusals([1], ["class '" + "x" * 100_000 + "'"], pa.table({"a": ["b"]}))
    assert len(table.column("reason")[0].as_py()) == 300


def test_tables_of_imports_and_exports_hold_no_formulas(tmp_path: Path) -> None:
    report = ImportReport("a.csv")
    report.refuse(1, EVIL[0], {"=head": EVIL[1]})
    report.write_refused(tmp_path / "refused.csv")
    write_table(tmp_path / "out.csv", [EVIL[0]], iter([(one,) for one in EVIL]))
    for name in ("refused.csv", "out.csv"):
        cells = [cell for line in read(tmp_path / name) for cell in line]
        assert set(map(safe_cell, cells)) == set(cells), name
    assert write_table(tmp_path / "out.xlsx", [EVIL[0]], iter([(one,) for one in EVIL])) == len(
        EVIL
    )
    for row in openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0].iter_rows():
        assert [cell.data_type for cell in row] == ["s"]
