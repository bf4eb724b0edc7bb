import csv
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from api.cli.executors import executor_of
from data.bulk import Spool
from data.database import Database
from data.errors import SourceError
from data.settings import DEMO_COUNTY as COUNTY
from gis.errors import CrsError
from grids.assign import Assigner, AssignOptions, assign_table, begun_at
from grids.assign.partitions import assign_partitions
from grids.directory import load_directory

WGS84 = AssignOptions("EPSG:4326")


def assigner(session) -> Assigner:
    now = datetime.now(UTC)
    return Assigner(load_directory(session, COUNTY, now), now)


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


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_table_is_assigned_as_the_database_assigns(city: Database, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with city.session() as session:
        report = assign_table(assigner(session), table(tmp_path, session), target, options=WGS84)
        held = session.execute(
            text(
                "SELECT source_ref, code, grid_count, to_hex(cell), (SELECT person.name FROM "
                "assignment JOIN person ON person.id = person_id WHERE incident_id = incident.id "
                "AND assignment.role = 'gridworker') FROM incident "
                "JOIN grid ON grid.id = grid_id ORDER BY incident.id"
            )
        ).all()
    assert (report.read, report.placed, report.refused, report.resumed) == (603, 600, 3, 0)
    assert [row["reason"] for row in read(tmp_path / "out.csv.refused.csv")] == [
        "outside every grid of the county",
        "lon is missing",
        "(43.575, 122.31) is no place on earth in EPSG:4326; lon and lat look swapped",
    ]
    found = read(target)
    assert len(found) == 600
    for row, (ref, code, count, cell, worker) in zip(found, held, strict=True):
        assert (row["编号"], row["grid_code"], int(row["grid_count"])) == (ref, code, count)
        assert row["h3_cell"] == cell
        assert row["micro_grid"].startswith(code)
        assert (row["community"], row["ambiguous"]) == (code[:12], str(int(count > 1)))
        assert row["gridworker_name"] == worker
        assert (row["by"], row["fallback"]) == ("polygon", "0")
    assert not (tmp_path / "out.csv.parts").exists()


@contextmanager
def executor(where: str) -> Iterator[Executor | None]:
    if where == "here":
        yield None
    elif where == "processes":
        with executor_of(2, None) as pool:
            yield pool
    else:
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            executor_of(1, cluster.scheduler_address) as pool,
        ):
            yield pool


def test_in_bulk_the_answer_is_that_for_one_place(city: Database) -> None:
    rng = np.random.default_rng(4)
    with city.session() as session:
        work = assigner(session)
        directory = load_directory(session, COUNTY)
        corners = session.execute(
            text(
                "SELECT ST_X(p) AS x, ST_Y(p) AS y FROM (SELECT (ST_DumpPoints(geom)).geom AS p "
                "FROM grid WHERE upper_inf(valid)) AS corner ORDER BY 1, 2 LIMIT 300"
            )
        ).all()
        classes = list(session.scalars(text("SELECT code FROM incident_class")))
    lon = np.concatenate([rng.uniform(122.29, 122.33, 700), [c.x for c in corners]])
    lat = np.concatenate([rng.uniform(43.565, 43.595, 700), [c.y for c in corners]])
    kinds = [classes[i] for i in rng.integers(0, len(classes), len(lon))]
    owners = [[None, "春水市园林局"][i] for i in rng.integers(0, 2, len(lon))]
    found = work.assign(lon, lat, classes=kinds, owners=owners)
    asked = zip(lon.tolist(), lat.tolist(), kinds, owners, strict=True)
    for at, (x, y, kind, owner) in enumerate(asked):
        answer = directory.answer(x, y, class_code=kind, owner=owner)
        if answer.grid is None:
            assert found.outside[at] == answer.reason
            continue
        row = dict(zip(work.headings, found.answers[found.index[at]], strict=True))
        assert row["grid_code"] == answer.grid.code
        assert row["micro_grid"] == (answer.micro_grid or "")
        assert row["grid_count"] == 1 + len(answer.on_boundary)
        assert row["ambiguous"] == str(int(answer.ambiguous))
        assert answer.lead is not None
        assert (row["lead_name"], row["lead_role"]) == (answer.lead.name, answer.lead.role)
        for role in work.roles:
            first = answer.first(role)
            assert row[f"{role}_name"] == (first.name if first else "")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".gpkg", ".geojson"])
def test_every_format_comes_out_and_goes_in(city: Database, tmp_path: Path, suffix: str) -> None:
    first, again = tmp_path / f"out{suffix}", tmp_path / "again.csv"
    with city.session() as session:
        work = assigner(session)
        options = AssignOptions("EPSG:4326", rows=97)
        report = assign_table(work, table(tmp_path, session), first, options=options)
        back = assign_table(work, first, again, options=WGS84)
    assert (report.placed, report.refused) == (back.placed, 3) == (600, 3)
    if suffix == ".parquet":
        frame = geopandas.read_parquet(first)
        assert pq.read_metadata(first).num_rows == 600
    elif suffix == ".csv":
        frame = None
    else:
        frame = geopandas.read_file(first)
        assert frame.crs == "EPSG:4326"
    rows = read(again)
    assert len(rows) == 600
    if frame is not None:
        assert frame["grid_code"].tolist() == [row["grid_code"] for row in rows]
        assert frame.geometry.x.to_numpy() == pytest.approx([float(r["经度"]) for r in rows])


def test_an_interrupted_run_goes_on_and_gives_the_same(city: Database, tmp_path: Path) -> None:
    options = AssignOptions("EPSG:4326", rows=100)
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    with city.session() as session:
        source, work = table(tmp_path, session), assigner(session)
        assign_table(work, source, whole, options=options)

        def stop(_share: float, placed: int, _refused: int) -> None:
            if placed >= 300:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            assign_table(work, source, cut, options=options, progress=stop)
        assert not cut.exists()
        assert len(Spool.about(cut)) > 0
        assert begun_at(cut) == work.at
        report = assign_table(work, source, cut, options=options)
        assert report.resumed == 300
        assert (report.read, report.placed, report.refused) == (603, 600, 3)
        assert cut.read_bytes() == whole.read_bytes()
        with pytest.raises(KeyboardInterrupt):
            assign_table(work, source, cut, options=options, progress=stop)
        report = assign_table(work, source, cut, options=options, version="another plan")
    assert report.resumed == 0
    refused = [p.read_bytes() for p in sorted(tmp_path.glob("*.refused.csv"))]
    assert refused[0] == refused[1]


@pytest.mark.parametrize("where", ["here", "processes", "dask"])
def test_folders_of_parquet_go_through_an_executor(
    city: Database, tmp_path: Path, where: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    with city.session() as session:
        work, source = assigner(session), table(tmp_path, session)
        assign_table(work, source, tmp_path / "one.parquet", options=WGS84)
    rows = pq.read_table(tmp_path / "one.parquet")
    for number, begin in enumerate(range(0, 600, 200)):
        pq.write_table(rows.slice(begin, 200), folder / f"{number}.parquet")
    with executor(where) as pool:
        report = assign_partitions(work, folder, out, options=WGS84, executor=pool)
    assert (report.read, report.placed) == (600, 600)
    parts = [pq.read_table(path) for path in sorted(out.glob("*.parquet"))]
    found = [code for part in parts for code in part.column("grid_code").to_pylist()]
    assert found == rows.column("grid_code").to_pylist()
    assert [path.name for path in sorted(out.iterdir())] == ["0.parquet", "1.parquet", "2.parquet"]
    with pytest.raises(SourceError, match=r"no \*.parquet"):
        assign_partitions(work, tmp_path / "out2", out, options=WGS84)


def test_what_cannot_be_is_said_and_nothing_is_written(city: Database, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with city.session() as session:
        path, work = table(tmp_path, session), assigner(session)
    with pytest.raises(CrsError, match="not stated"):
        assign_table(work, path, target)
    with pytest.raises(SourceError, match="none of"):
        assign_table(work, path, tmp_path / "out.doc", options=WGS84)
    with pytest.raises(SourceError, match="no folder"):
        assign_table(work, path, tmp_path / "none" / "out.csv", options=WGS84)
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as handle:
        handle.write(b"lon,lat\n")
        handle.truncate(shutil.disk_usage(tmp_path).free)
    with pytest.raises(SourceError, match=r"GiB free.*nothing was written"):
        assign_table(work, huge, target, options=WGS84)
    huge.unlink()
    (tmp_path / "empty.csv").write_text("lon,lat\n", "utf-8")
    with pytest.raises(SourceError, match="no rows"):
        assign_table(work, tmp_path / "empty.csv", target, options=WGS84)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.csv", "in.csv"]


def test_a_full_disk_is_said_and_the_work_goes_on_after(
    city: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, options = tmp_path / "out.csv", AssignOptions("EPSG:4326", rows=200)
    with city.session() as session:
        source, work = table(tmp_path, session), assigner(session)
    write = pq.write_table
    left = [4]

    def full(*args: object, **options: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        write(*args, **options)

    monkeypatch.setattr("data.bulk.spool.pq.write_table", full)
    with pytest.raises(SourceError, match=r"no room left.*goes on"):
        assign_table(work, source, target, options=options)
    assert not target.exists()
    monkeypatch.undo()
    assert assign_table(work, source, target, options=options).resumed == 400


def test_bad_rows_come_back_with_their_reasons(city: Database, tmp_path: Path) -> None:
    source, target = tmp_path / "bad.csv", tmp_path / "out.geojson"
    source.write_text(
        "id,lon,lat,class\n1,nan,43.57,E01\n2,inf,43.57,E01\n3,122.31,43.575,E01\n"
        "4,122.31,43.575,?\n5,122.31,43.575\n6,122.31,43.575,E01,more\n7,=1+1,43.57,E01\n\n"
        "8,122.31,43.575,盗窃\n",
        "utf-8",
    )
    with city.session() as session:
        work = assigner(session)
        known = {c: c for c in work._directory.staff.classes} | {"盗窃": "S02"}
    options = AssignOptions("EPSG:4326", by_class=True, classes=known)
    report = assign_table(work, source, target, options=options)
    assert (report.read, report.placed) == (8, 2)
    found = json.loads(target.read_text("utf-8"))["features"]
    assert [one["properties"]["lead_role"] for one in found] == ["gridworker", "police"]
    refused = read(tmp_path / "out.geojson.refused.csv")
    assert [(row["row"], row["reason"]) for row in refused] == [
        ("1", "lon 'nan' is not finite"),
        ("2", "lon 'inf' is not finite"),
        ("4", "class '?' is not in the class table"),
        ("5", "class '' is not in the class table"),
        ("6", "the row has 5 cells, the heading has 4"),
        ("7", "lon '=1+1' is no number"),
    ]
    assert refused[-1]["lon"] == "'=1+1"


def test_a_shift_of_the_coordinates_must_be_stated(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        source, work = table(tmp_path, session), assigner(session)
    target = tmp_path / "out.csv"
    assign_table(work, source, target, options=WGS84)
    here = [row["grid_code"] for row in read(target)]
    assign_table(work, source, target, options=AssignOptions("GCJ-02"))
    shifted = {row["编号"]: row["grid_code"] for row in read(target)}
    assert sum(shifted.get(f"DEMO-{i:05d}") != code for i, code in enumerate(here, 1)) > 300
