import csv
from pathlib import Path

import pytest
from sqlalchemy import text

from data.database import Database
from data.settings import DEMO_COUNTY as COUNTY
from gis.errors import CrsError
from grids.assign import assign_table
from grids.who import load_directory


def table(folder: Path, session) -> Path:
    rows = session.execute(
        text("SELECT source_ref, ST_X(geom) AS x, ST_Y(geom) AS y FROM incident ORDER BY id")
    )
    lines = [f"{row.source_ref},{row.x!r},{row.y!r}" for row in rows]
    path = folder / "in.csv"
    path.write_text(
        "编号,经度,纬度\n" + "\n".join([*lines, "海上,1.0,1.0", "空,,", "反,43.575,122.31"]),
        "utf-8",
    )
    return path


def test_a_table_is_assigned_as_the_database_assigns(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        report = assign_table(
            directory, table(tmp_path, session), tmp_path / "out.csv", crs="EPSG:4326"
        )
        held = session.execute(
            text(
                "SELECT source_ref, code, grid_count, to_hex(cell), (SELECT person.name FROM "
                "assignment JOIN person ON person.id = person_id WHERE incident_id = incident.id "
                "AND assignment.role = 'gridworker') FROM incident "
                "JOIN grid ON grid.id = grid_id ORDER BY incident.id"
            )
        ).all()
    assert (report.read, report.stored) == (603, 600)
    assert [refusal.reason for refusal in report.refused] == [
        "outside every grid of the county",
        "lon is missing",
        "(43.575, 122.31) is no place on earth in EPSG:4326; lon and lat look swapped",
    ]
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as handle:
        found = list(csv.DictReader(handle))
    assert len(found) == 600
    for row, (ref, code, count, cell, worker) in zip(found, held, strict=True):
        assert (row["编号"], row["grid_code"], int(row["grid_count"])) == (ref, code, count)
        assert row["h3_cell"] == cell
        assert row["micro_grid"].startswith(code)
        assert (row["community"], row["ambiguous"]) == (code[:12], str(int(count > 1)))
        assert row["gridworker_name"] == worker


def test_a_table_without_a_crs_is_refused(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        path = table(tmp_path, session)
        with pytest.raises(CrsError, match="not stated"):
            assign_table(load_directory(session, COUNTY), path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
