"""Closures and speeds from the database: seen by the next request, by every process."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from api.demo import furnish
from data.database import Database
from data.errors import NotFoundError, SourceError
from data.roads import (
    HeldSpeed,
    close_roads,
    forget_speeds,
    held_closures,
    read_speeds,
    reopen,
    road_version,
    store_speeds,
)
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from routing.live import LiveRoads
from routing.network import RoadNetwork
from tests.conftest import Furnished

NOW = datetime.now(UTC)
START, END = (122.305, 43.571), (122.315, 43.578)


@pytest.fixture
def path(furnished: Furnished) -> Path:
    return furnished.home / "networks" / f"{COUNTY}.arrow"


def time_s(city: Database, roads: LiveRoads) -> float:
    with city.session() as session:
        return roads.now(session).travel.route(START, END, "car").time_s


def close_on_the_way(city: Database, roads: LiveRoads, **options: object) -> int:
    """Close the middle road of the usual way."""
    with city.session() as session:
        travel = roads.now(session).travel
        arcs = travel.route(START, END, "car").arcs
        line = travel.network.lines[arcs[len(arcs) // 2] >> 1]
        facts = {"begins": NOW - timedelta(hours=1), "ends": None} | options
        return close_roads(
            session, Scope.whole(COUNTY), line, reason="施工", author="test", **facts
        )


def test_a_closure_is_seen_by_every_process_and_goes_with_its_end(
    city: Database, path: Path
) -> None:
    one, other = LiveRoads(path, COUNTY), LiveRoads(path, COUNTY)
    usual = time_s(city, one)
    assert time_s(city, other) == usual
    number = close_on_the_way(city, one)
    assert time_s(city, one) > usual
    assert time_s(city, other) == time_s(city, one)
    # A process that starts now knows it too.
    assert time_s(city, LiveRoads(path, COUNTY)) == time_s(city, one)
    with city.session() as session:
        reopen(session, Scope.whole(COUNTY), number, at=datetime.now(UTC))
    assert time_s(city, one) == time_s(city, other) == usual
    with city.session() as session, pytest.raises(NotFoundError, match="still holds"):
        reopen(session, Scope.whole(COUNTY), number, at=datetime.now(UTC))


def test_closures_begin_and_end_by_the_clock(
    city: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roads = LiveRoads(path, COUNTY)
    usual = time_s(city, roads)
    tomorrow = NOW + timedelta(days=1)
    close_on_the_way(city, roads, begins=tomorrow, ends=tomorrow + timedelta(hours=2))
    assert time_s(city, roads) == usual
    for hours, closed in ((25, True), (27, False)):
        clock = type("Clock", (), {"now": lambda _, h=hours: NOW + timedelta(hours=h)})
        monkeypatch.setattr("routing.live.datetime", clock)
        assert (time_s(city, roads) > usual) == closed


def test_a_closure_that_has_not_begun_is_taken_back(city: Database, path: Path) -> None:
    number = close_on_the_way(city, LiveRoads(path, COUNTY), begins=NOW + timedelta(days=1))
    with city.session() as session:
        assert [one.id for one in held_closures(session, COUNTY, at=None)] == [number]
        assert held_closures(session, COUNTY, at=NOW) == []
        reopen(session, Scope.whole(COUNTY), number, at=NOW)
        assert held_closures(session, COUNTY, at=None) == []


def test_a_refused_closure_changes_nothing(city: Database) -> None:
    square = shapely.box(122.30, 43.57, 122.31, 43.58)
    facts = {"begins": NOW, "ends": None, "reason": "x", "author": "t"}
    with city.session() as session:
        before = road_version(session, COUNTY)
        for geom, change, message in (
            (shapely.Point(122.3, 43.5), {}, "closes no road"),
            (shapely.box(500_000, 4_800_000, 500_010, 4_800_010), {}, "not in degrees"),
            (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), {}, "not valid"),
            (square, {"ends": NOW - timedelta(hours=1)}, "before it begins"),
            (square, {"modes": ["boat"]}, "boat"),
            (square, {"modes": []}, "none"),
        ):
            with pytest.raises(SourceError, match=message):
                close_roads(session, Scope.whole(COUNTY), geom, **(facts | change))
    with city.session() as session:
        assert road_version(session, COUNTY) == before


def test_speeds_come_from_a_file_and_go_back_to_the_usual(
    city: Database, path: Path, tmp_path: Path
) -> None:
    roads = LiveRoads(path, COUNTY)
    usual = time_s(city, roads)
    with city.session() as session:
        ways = set(roads.now(session).travel.network.way.tolist())
    file = tmp_path / "speeds.csv"
    rows = [f"{way},5,," for way in sorted(ways)]
    file.write_text("way,kph,direction,mode\n" + "\n".join(rows), encoding="utf-8")
    with city.session() as session:
        assert store_speeds(session, COUNTY, read_speeds(file), author="t") == 2 * len(ways)
    slow = time_s(city, roads)
    assert slow > 3 * usual
    with city.session() as session:
        again = [HeldSpeed(way, back, "car", 10.0) for way in ways for back in (False, True)]
        store_speeds(session, COUNTY, again, author="t")
    assert usual < time_s(city, roads) < slow
    with city.session() as session:
        assert forget_speeds(session, COUNTY) == 2 * len(ways)
    assert time_s(city, roads) == usual


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("way\n1\n", "no column kph"),
        ("way,kph\nx,1\n", "line 2: way or kph is no number"),
        ("way,kph\n1,30\n2,0\n", "line 3: kph must be above 0"),
        ("way,kph,mode\n1,30,boat\n", "mode one of"),
        ("way,kph,direction\n1,30,up\n", "direction forward"),
    ],
)
def test_a_file_of_speeds_is_taken_whole_or_not(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "speeds.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        read_speeds(file)


def test_a_network_of_an_older_version_is_built_again(
    city: Database, furnished: Furnished, path: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(furnished.home / "demo", home / "demo")
    mine = home / "networks" / path.name
    mine.parent.mkdir()
    mine.write_bytes(b"of another version")
    assert not furnish(city, home)
    assert RoadNetwork.load(mine).checksum == RoadNetwork.load(path).checksum
