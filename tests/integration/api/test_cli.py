"""The command line as a user types it, against the demonstration city."""

import csv
import io
import json
import re
from pathlib import Path

import geopandas
import pytest

from data.cluster import Cluster
from data.database import Database
from data.settings import DEMO_COUNTY
from tests.conftest import as_owner


def test_who_answers_for_people_and_for_programs(onegrid) -> None:
    assert "gridworker A:" in onegrid("who", 122.31, 43.575)
    facts = json.loads(onegrid("who", 122.31, 43.575, "--json"))
    assert len(facts["grid"]["code"]) == 15
    assert facts["micro_grid"].startswith(facts["grid"]["code"])
    assert "may lie in" in onegrid("who", 122.31, 43.575, "--radius", 300)
    assert "outside" in onegrid("who", 120, 30, code=1)
    assert "180" in onegrid("who", 200, 43, code=2)


def test_plan_is_drawn_checked_published_and_exported(onegrid, tmp_path: Path) -> None:
    report = ("--report", "draft.html")
    drawn = json.loads(onegrid("plan", "partition", "--seed", 8, "--fresh", *report, "--json"))
    assert drawn["grids"] > 40
    assert "og-legend" in (tmp_path / "draft.html").read_text("utf-8")
    assert "no fault" in onegrid("plan", "check")
    assert json.loads(onegrid("plan", "publish", "--json"))["outside"] == 0
    assert "there is no draft" in onegrid("plan", "publish", code=1)
    for name in ("grids.gpkg", "grids.geojson", "grids.csv"):
        onegrid("plan", "export", name)
        assert (tmp_path / name).stat().st_size > 1000
    features = json.loads((tmp_path / "grids.geojson").read_text("utf-8"))["features"]
    assert len(features) == drawn["grids"]
    assert "there are: " in onegrid("plan", "partition", "--profile", "mars", code=1)


def test_parts_of_a_plan_are_exported_in_every_format(onegrid, tmp_path: Path) -> None:
    for name in ("a.gpkg", "a.geojson", "a.shp", "a.kml", "a.csv", "a.xlsx"):
        assert "65 grids" in onegrid("plan", "export", name)
        assert (tmp_path / name).stat().st_size > 1000
    names = geopandas.read_file(tmp_path / "a.shp", encoding="GB18030")["name"]
    assert names.str.contains("第1网格").any()
    assert (tmp_path / "a.cpg").read_text() == "GB18030"
    assert len(geopandas.read_file(tmp_path / "a.kml")) == 65
    assert "blocks" in onegrid("plan", "export", "b.gpkg", "--part", "blocks")
    assert "no lineage" in onegrid("plan", "export", "l.xlsx", "--part", "lineage", code=1)
    assert "no grids" in onegrid("plan", "export", "x.gpkg", "--at", "1999-01-01", code=1)
    assert "none of" in onegrid("plan", "export", "x.dwg", code=1)


def test_incidents_are_counted_by_the_grids_of_any_generation(onegrid, tmp_path: Path) -> None:
    onegrid("plan", "partition", "--seed", "9", "--fresh")
    onegrid("plan", "publish")
    sums = []
    for name, at in (("old", "2026-01-01"), ("now", None)):
        words = ["--at", at] if at else []
        if at:
            said = onegrid("plan", "statistics", "x.csv", "--since", "2020-01-01", *words, code=1)
            assert "no published plan" in said
        onegrid("plan", "statistics", f"{name}.csv", "--since", "2020-01-01")
        with (tmp_path / f"{name}.csv").open(encoding="utf-8-sig") as handle:
            sums.append(sum(int(row["incidents"]) for row in csv.DictReader(handle)))
    assert sums[0] == sums[1] > 500


def test_the_atlas_has_a_page_for_each_grid(onegrid, tmp_path: Path) -> None:
    onegrid("plan", "atlas", "atlas.pdf", "--area", "990100001002")
    printed = (tmp_path / "atlas.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert "no grid is published" in onegrid("plan", "atlas", "x.pdf", "--area", "991", code=1)


def test_micro_grids_are_drawn_where_they_lack_and_exported(onegrid, tmp_path: Path) -> None:
    assert "0 micro-grids in 0 grids" in onegrid("plan", "micro")
    onegrid("plan", "export", "micro.geojson", "--micro")
    features = json.loads((tmp_path / "micro.geojson").read_text("utf-8"))["features"]
    first = features[0]["properties"]
    assert first["code"].startswith(first["grid"])


def test_assign_writes_what_fits_and_returns_the_rest(onegrid, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("编号,经度,纬度\n1,122.31,43.575\n2,1,1\n", "utf-8")
    assert "not stated" in onegrid("assign", path, "-o", "out.csv", code=1)
    told = onegrid("assign", path, "-o", "out.csv", "--crs", "EPSG:4326", code=3)
    assert "2 read = 1 placed + 1 refused" in told
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert len(list(csv.DictReader(handle))) == 1
    assert "outside every grid" in (tmp_path / "out.csv.refused.csv").read_text("utf-8-sig")


def test_dispatch_ranks_by_road(onegrid) -> None:
    facts = json.loads(onegrid("dispatch", "--at", 122.31, 43.575, "--class", "E01", "--json"))
    assert facts["crs"] == "EPSG:4326"
    assert facts["candidates"][0]["route"]["type"] == "LineString"
    assert "no incident class" in onegrid("dispatch", "--at", 122.3, 43.5, "--class", "?", code=1)


def test_import_says_what_came_back(onegrid, tmp_path: Path) -> None:
    path = tmp_path / "staff.csv"
    path.write_text("姓名,岗位\n王一,网格员\n王二,国王\n", "utf-8")
    assert "2 read = 1 stored" in onegrid("import", "people", path, code=3)
    assert "国王" in (tmp_path / "staff.csv.refused.csv").read_text("utf-8-sig")
    assert "no file" in onegrid("import", "people", "none.csv", code=1)
    assert "six digits" in onegrid("import", "people", path, "--county", "Ada", code=2)


def test_map_is_one_file_that_needs_nothing(onegrid, tmp_path: Path) -> None:
    onegrid("map", "-o", "city.html", "--incident", "DEMO-00007")
    assert "no incident" in onegrid("map", "-o", "none.html", "--incident", "?", code=1)
    page = (tmp_path / "city.html").read_text("utf-8")
    assert "<script src" not in page
    assert '<link rel="stylesheet"' not in page


def test_accounts_are_kept_on_the_command_line_and_the_log_knows(onegrid, monkeypatch) -> None:
    typed(monkeypatch, "long enough, too")
    said = onegrid("user", "add", "ada", "--role", "planner", "--area", "990100001000")
    assert said == "added: ada\n", "no warning of getpass"
    assert "planner in 990100001000" in onegrid("user", "list")
    onegrid("user", "grant", "ada", "dispatcher")
    onegrid("user", "revoke", "ada", "planner", code=1)
    onegrid("user", "revoke", "ada", "planner", "--area", "990100001000")
    typed(monkeypatch, "long enough, too")
    onegrid("user", "password", "ada")
    onegrid("user", "disable", "ada")
    assert "disabled; dispatcher in the whole county" in onegrid("user", "list")
    onegrid("user", "enable", "ada")
    assert "no account" in onegrid("user", "disable", "eve", code=1)
    shown = onegrid("audit", "show")
    for action in ("add", "grant", "revoke", "password", "disable", "enable"):
        assert f"command line: account.{action} ada" in shown
    assert "account.grant ada role=planner division=990100001000\n" in shown
    assert re.match(r"\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+08:00 command line: ", shown)
    head = json.loads(onegrid("audit", "verify", "--json"))["head"]
    onegrid("audit", "verify", "--head", head)
    onegrid("audit", "verify", "--head", "0" * 64, code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "ada", "--role", "planer"), "unknown role 'planer'"),
        (("add", "ada", "--role", "planner", "--area", "990100001"), "is 990100001000 meant?"),
        (("add", "ada", "--role", "planner", "--area", "123"), "no division '123'"),
        (("add", "ada", "--role", "dispatcher", "--class", "X99"), "no incident class"),
        (("add", "demo", "--role", "planner"), "is taken"),
        (("password", "eve"), "no account 'eve'"),
    ],
)
def test_what_is_mistyped_is_told_before_the_password_is_asked(
    onegrid, monkeypatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("api.cli.users._asked_password", lambda: pytest.fail("it was asked for"))
    assert said in onegrid("user", *words, code=1)


def typed(monkeypatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))


def test_classes_and_the_address_of_the_database_are_told(onegrid) -> None:
    assert len(json.loads(onegrid("classes", "--json"))) > 25
    assert onegrid("db", "url").startswith("postgresql://")


def test_backup_and_restore_by_command(
    onegrid, city: Database, cluster: Cluster, monkeypatch
) -> None:
    onegrid("db", "backup", "city.dump")
    with city.engine.connect():
        assert "stop server and worker" in onegrid("db", "restore", "city.dump", code=2)
    city.engine.dispose()
    assert "superuser" in onegrid("db", "restore", "city.dump", code=2)
    owner = as_owner(cluster, str(city.engine.url.database))
    owner.engine.dispose()
    monkeypatch.setenv("ONEGRID_DATABASE_URL", owner.engine.url.render_as_string())
    onegrid("db", "restore", "city.dump")
    assert json.loads(onegrid("who", 122.31, 43.575, "--json"))["grid"]["code"][:6] == DEMO_COUNTY
    assert "pg_restore" in onegrid("db", "restore", __file__, code=2)


def test_a_database_that_is_away_is_exit_code_two(onegrid, monkeypatch) -> None:
    monkeypatch.setenv("ONEGRID_DATABASE_URL", "postgresql://onegrid@127.0.0.1:1/x")
    assert "does not answer" in onegrid("who", 122, 43, code=2)


def test_route_goes_around_a_closure_until_it_is_reopened(onegrid) -> None:
    ends = ("122.305", "43.571", "122.315", "43.578")
    way = json.loads(onegrid("route", *ends, "--json"))
    assert way["route"]["type"] == "LineString"
    middle = way["route"]["coordinates"][len(way["route"]["coordinates"]) // 2]
    closed = json.loads(onegrid("roads", "close", "--at", *middle, "--reason", "施工", "--json"))[
        "closure"
    ]
    assert "施工" in onegrid("roads", "closures")
    around = json.loads(onegrid("route", *ends, "--json"))
    assert around["time_s"] > way["time_s"]
    assert "open again" in onegrid("roads", "reopen", closed)
    assert json.loads(onegrid("route", *ends, "--json")) == way
    assert "no closure" in onegrid("roads", "reopen", closed, code=1)
    assert "from any road" in onegrid("route", *ends[:2], "123.5", "44", code=1)
    assert "min" in onegrid("route", *ends, "--mode", "foot")


def test_dispatch_says_why_not_and_draws_a_map(onegrid, tmp_path) -> None:
    page = tmp_path / "dispatch.html"
    told = onegrid(
        "dispatch", "--at", 122.31, 43.575, "--class", "E01", "--why", "--k", 2, "--map", page
    )
    assert told.count("not ") > 5
    assert "has another role" in told
    html = page.read_text(encoding="utf-8")
    # Words of a map travel as JSON.
    assert json.dumps("分钟")[1:-1] in html
    assert "http://cdn" not in html


def test_coverage_of_households_and_the_hole_of_a_dispatch(onegrid) -> None:
    facts = json.loads(onegrid("roads", "coverage", "--minutes", 3, "--json"))
    assert 0 < facts["share"] <= 1
    assert "out of reach" in onegrid("roads", "coverage", "--minutes", 3, "--without", 1)


def test_an_area_is_closed_for_a_time_and_speeds_go_back(onegrid, tmp_path) -> None:
    ends = ("122.305", "43.571", "122.315", "43.578")
    usual = json.loads(onegrid("route", *ends, "--json"))
    # Across the whole city but its edge: nothing leads through.
    ring = [[122.308, 43.5], [122.31, 43.5], [122.31, 43.65], [122.308, 43.65], [122.308, 43.5]]
    area = tmp_path / "flood.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), "utf-8")
    times = ("--from", "2026-01-01 08:00", "--until", "2099-01-01 18:00")
    onegrid("roads", "close", "--area", area, "--mode", "car", "--reason", "积水", *times)
    assert "2099-01-01 18:00  car  积水" in onegrid("roads", "closures")
    assert "no open way" in onegrid("route", *ends, code=1)
    assert json.loads(onegrid("route", *ends, "--mode", "foot", "--json"))["time_s"] > 0
    onegrid("roads", "reopen", 1)
    assert "no road is closed" in onegrid("roads", "closures")
    ways = tmp_path / "speeds.csv"
    ways.write_text("way,kph\n" + "".join(f"{way},6\n" for way in range(1, 2000)), "utf-8")
    onegrid("roads", "speeds", ways)
    slow = json.loads(onegrid("route", *ends, "--json"))
    assert slow["time_s"] >= usual["time_s"]
    onegrid("roads", "speeds", "--usual")
    assert json.loads(onegrid("route", *ends, "--json")) == usual
    assert "either --at or --area" in onegrid("roads", "close", "--reason", "x", code=2)
    area.write_text("{", "utf-8")
    assert "no GeoJSON" in onegrid("roads", "close", "--area", area, "--reason", "x", code=1)


def test_cases_come_in_and_are_followed(onegrid, tmp_path: Path) -> None:
    rows = "ref,class,x,y\n1,E01,122.31,43.575\n2,E99,122.31,43.575\n"
    (tmp_path / "r.csv").write_text(rows, encoding="utf-8")
    said = onegrid("incident", "report", "r.csv", "--crs", "EPSG:4326", code=3)
    assert "1 taken, 1 refused" in said
    assert "E99" in said
    (case,) = {one["case"] for one in json.loads(onegrid("incident", "list", "--json"))[:1]}
    assert "accept by command line" in onegrid("incident", "show", case)
    assert "accepted" in onegrid("incident", "ledger", "--period", "month")
    assert "no file" in onegrid("incident", "report", "no.csv", "--crs", "x", code=1)


def test_flows_are_edited_and_checked(onegrid, tmp_path: Path) -> None:
    assert "urban" in onegrid("incident", "flows")
    flow = json.loads(onegrid("incident", "flow", "urban"))
    own = tmp_path / "own.json"
    own.write_text(json.dumps(flow | {"code": "own"}), encoding="utf-8")
    assert "kept: own" in onegrid("incident", "set-flow", "own.json")
    assert "E01 takes own" in onegrid("incident", "use-flow", "own", "--for", "E01")
    assert "no flow" in onegrid("incident", "use-flow", "none", code=1)
    kept = [one for one in flow["transitions"] if one["action"] != "close"]
    own.write_text(json.dumps(flow | {"transitions": kept}), encoding="utf-8")
    assert "never leads to an end" in onegrid("incident", "set-flow", "own.json", code=1)
    assert "is free" in onegrid("incident", "calendar", "2027-02-08", "--free")


def test_devices_and_notice_targets(onegrid) -> None:
    assert "told once" in onegrid("staff", "device", "P001")
    assert "1 devices disabled" in onegrid("staff", "device", "P001", "--disable")
    assert "no person" in onegrid("staff", "device", "nobody", code=1)
    assert "demo-worker is P002" in onegrid("user", "stands-for", "demo-worker", "P002")
    onegrid("notice", "add", "center", "https://center.example/", "--channel", "webhook")
    assert "center webhook" in onegrid("notice", "list")
    assert "dropped" in onegrid("notice", "drop", "center")
    assert "no notice channel" in onegrid("notice", "drop", "center", code=1)
    assert "no channel" in onegrid("notice", "add", "c", "x", "--channel", "pigeon", code=1)
