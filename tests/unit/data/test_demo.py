from datetime import UTC, datetime
from pathlib import Path

import shapely

from data.demo import write_demo
from data.demo.city import COMMUNITIES, draw_city, to_wgs84
from data.demo.people import draw_staff

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    one = write_demo(tmp_path / "one", seed=5, end=NOW)
    two = write_demo(tmp_path / "two", seed=5, end=NOW)
    other = write_demo(tmp_path / "other", seed=6, end=NOW)
    for name in ("osm", "beats", "addresses", "people", "incidents"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()
    assert one.osm.read_bytes() != other.osm.read_bytes()


def test_the_city_has_twelve_thousand_households_and_sixty_staff() -> None:
    city = draw_city(1)
    assert sum(building.households for building in city.buildings) == 12_000
    assert len(COMMUNITIES) == 7
    assert len(draw_staff(1)) >= 60


def test_no_two_buildings_of_the_city_overlap() -> None:
    shapes = [shapely.Polygon(to_wgs84(b.points)) for b in draw_city(1).buildings]
    tree = shapely.STRtree(shapes)
    one, two = tree.query(shapes, "overlaps")
    assert one.size == 0, [(one[0], two[0])]


def test_streets_never_run_through_a_building() -> None:
    city = draw_city(1)
    streets = [shapely.LineString(to_wgs84(w.points)) for w in city.ways if "highway" in w.tags]
    houses = [shapely.Polygon(to_wgs84(b.points)) for b in city.buildings]
    crossed, _ = shapely.STRtree(houses).query(streets, "crosses")
    assert crossed.size == 0
