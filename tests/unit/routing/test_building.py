import json
from pathlib import Path

import numpy as np
import osmnx
import pytest

from gis.crs import LocalProjection
from routing.building import Rules, build_network, read_roads
from routing.building.download import download_streets
from routing.errors import NetworkError
from routing.hierarchy import INFINITE
from routing.network import MODES
from routing.travel import TravelTimes

LOCAL = LocalProjection(120.6, 24.18)

OSM = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
  <node id="1" version="1" lat="24.1800" lon="120.6000"/>
  <node id="2" version="1" lat="24.1800" lon="120.6010"/>
  <node id="3" version="1" lat="24.1800" lon="120.6020"/>
  <node id="4" version="1" lat="24.1810" lon="120.6010"/>
  <node id="5" version="1" lat="24.1810" lon="120.6020"/>
  <node id="6" version="1" lat="24.1810" lon="120.6000"/>
  {more}
</osm>
"""
STREETS = """
  <way id="1" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/>
    <tag k="highway" v="primary"/><tag k="oneway" v="yes"/><tag k="name" v="中山路"/></way>
  <way id="2" version="1"><nd ref="2"/><nd ref="4"/><nd ref="99"/>
    <tag k="highway" v="footway"/></way>
  <way id="3" version="1"><nd ref="3"/><nd ref="5"/><nd ref="4"/><nd ref="6"/><nd ref="1"/>
    <tag k="highway" v="residential"/><tag k="maxspeed" v="30"/></way>
  <way id="4" version="1"><nd ref="1"/><nd ref="4"/><nd ref="3"/><nd ref="1"/>
    <tag k="building" v="yes"/></way>
"""
# A cross: west, east and north of node 2, each a way of its own, and a loop in the east.
CROSS = """
  <way id="11" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="tertiary"/></way>
  <way id="12" version="1"><nd ref="2"/><nd ref="3"/><tag k="highway" v="tertiary"/></way>
  <way id="13" version="1"><nd ref="2"/><nd ref="4"/><tag k="highway" v="tertiary"/></way>
  <way id="14" version="1"><nd ref="3"/><nd ref="5"/><nd ref="4"/>
    <tag k="highway" v="tertiary"/></way>
"""


def relation(kind: str, first: int, via: str, last: int, more: str = "") -> str:
    return f"""<relation id="1" version="1">
      <member type="way" ref="{first}" role="from"/>{via}
      <member type="way" ref="{last}" role="to"/>
      <tag k="type" v="restriction"/><tag k="restriction" v="{kind}"/>{more}</relation>"""


VIA_NODE = '<member type="node" ref="2" role="via"/>'


def extract(folder: Path, more: str) -> Path:
    path = folder / "small.osm"
    path.write_text(OSM.format(more=more), encoding="utf-8")
    return path


def metres(travel: TravelTimes, mode: str = "car") -> float:
    """From the middle of the western arm to the middle of the northern one."""
    return travel.route((120.6005, 24.18), (120.601, 24.1805), mode).distance_m


def test_ways_become_roads_and_buildings_do_not(tmp_path: Path) -> None:
    network = build_network(extract(tmp_path, STREETS))
    assert network.road_count == 5
    assert set(network.names) == {"", "中山路"}
    assert set(network.way.tolist()) == {1, 2, 3}
    assert set(network.kinds) == {"primary", "footway", "residential"}
    assert network.length_m.sum() == pytest.approx(203 + 111 + 111 + 203 + 111, rel=0.01)


def test_one_ways_bind_vehicles_and_not_people_on_foot(tmp_path: Path) -> None:
    network = build_network(extract(tmp_path, STREETS))
    street = np.flatnonzero(network.way == 1)
    east = network.node_lon[network.head[street]] > network.node_lon[network.tail[street]]
    forward, back = 2 * street + ~east, 2 * street + east
    for mode in (0, 1):
        assert (network.time_ms[mode, forward] < INFINITE).all()
        assert (network.time_ms[mode, back] == INFINITE).all()
    assert (network.time_ms[2, back] < INFINITE).all()
    path = np.flatnonzero(network.way == 2)
    assert (network.time_ms[0, 2 * path] == INFINITE).all()
    assert (network.time_ms[2, 2 * path] < INFINITE).all()


def test_limits_are_driven_at_their_share_and_classes_at_their_speed(tmp_path: Path) -> None:
    network = build_network(extract(tmp_path, STREETS))
    for way, mode, kph in ((1, 0, 50.0), (1, 1, 25.0), (3, 0, 24.0), (3, 2, 4.8), (2, 2, 4.8)):
        road = int(np.flatnonzero(network.way == way)[0])
        ms = network.time_ms[mode, [2 * road, 2 * road + 1]].min()
        assert ms == pytest.approx(network.length_m[road] * 3600 / kph, abs=1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "residential"}, ((25, 25), (22, 22), (4.8, 4.8))),
        ({"highway": "motorway"}, ((100, 0), (0, 0), (0, 0))),
        ({"highway": "primary", "oneway": "-1"}, ((0, 50), (0, 25), (4.8, 4.8))),
        ({"highway": "primary", "junction": "roundabout"}, ((50, 0), (25, 0), (4.8, 4.8))),
        ({"highway": "residential", "access": "private"}, ((0, 0), (0, 0), (0, 0))),
        (
            {"highway": "residential", "access": "no", "foot": "yes"},
            ((0, 0), (0, 0), (4.8, 4.8)),
        ),
        ({"highway": "service", "motor_vehicle": "no"}, ((0, 0), (15, 15), (4.8, 4.8))),
        (
            {"highway": "residential", "oneway": "yes", "oneway:bicycle": "no"},
            ((25, 0), (22, 22), (4.8, 4.8)),
        ),
        ({"highway": "primary", "maxspeed": "CN:urban"}, ((40, 40), (25, 25), (4.8, 4.8))),
        ({"highway": "primary", "maxspeed": "30 mph"}, ((38.6, 38.6), (25, 25), (4.8, 4.8))),
        (
            {"highway": "primary", "maxspeed:forward": "60", "maxspeed": "signals"},
            ((48, 50), (25, 25), (4.8, 4.8)),
        ),
        ({"highway": "trunk_link"}, ((49, 49), (25, 25), (4.8, 4.8))),
        ({"highway": "steps"}, ((0, 0), (0, 0), (2.5, 2.5))),
    ],
)
def test_rules_read_tags(tags: dict[str, str], expected: tuple[tuple[float, float], ...]) -> None:
    rules = Rules.read()
    found = zip(rules.speeds_kph(tags, back=False), rules.speeds_kph(tags, back=True), strict=True)
    for mode, (got, wanted) in zip(MODES, zip(found, expected, strict=True), strict=True):
        assert got == pytest.approx(wanted, abs=0.1), mode


def test_a_place_has_speeds_of_its_own(tmp_path: Path) -> None:
    data = json.loads(json.dumps(dict(Rules.read().data)))
    data["places"] = {"15": {"car": {"residential": 20}}, "1505": {"car": {"residential": 18}}}
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    tags = {"highway": "residential"}
    assert Rules.read(path, "150523").speeds_kph(tags, back=False)[0] == 18
    assert Rules.read(path, "150100").speeds_kph(tags, back=False)[0] == 20
    assert Rules.read(path, "320106").speeds_kph(tags, back=False)[0] == 25
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(NetworkError, match="no rules for roads"):
        Rules.read(path)


def test_a_forbidden_turn_is_driven_around(tmp_path: Path) -> None:
    free = TravelTimes(build_network(extract(tmp_path, CROSS)))
    assert metres(free) == pytest.approx(106, abs=2)
    banned = CROSS + relation("no_left_turn", 11, VIA_NODE, 13)
    travel = TravelTimes(build_network(extract(tmp_path, banned)))
    assert metres(travel) > 250
    assert metres(travel, "moped") > 250
    assert metres(travel, "foot") == pytest.approx(106, abs=2)
    excepted = banned.replace("</relation>", '<tag k="except" v="bicycle;psv"/></relation>')
    travel = TravelTimes(build_network(extract(tmp_path, excepted)))
    assert metres(travel) > 250
    assert metres(travel, "moped") == pytest.approx(106, abs=2)


def test_a_mandatory_turn_forbids_all_others(tmp_path: Path) -> None:
    only = CROSS + relation("only_straight_on", 11, VIA_NODE, 12)
    travel = TravelTimes(build_network(extract(tmp_path, only)))
    assert metres(travel) > 250
    assert travel.route((120.6005, 24.18), (120.6015, 24.18), "car").distance_m < 110


def test_a_restriction_by_way_of_a_way_binds_only_the_whole_course(tmp_path: Path) -> None:
    via = '<member type="way" ref="12" role="via"/>'
    banned = CROSS + relation("no_u_turn", 11, via, 14)
    roads = read_roads(extract(tmp_path, banned))
    assert [len(ban) for ban in roads.bans] == [3]
    travel = TravelTimes(build_network(extract(tmp_path, banned)))
    end = (120.602, 24.1805)
    direct = 203.0 - 50 + 55
    assert travel.route((120.6005, 24.18), end, "car").distance_m > direct + 50
    assert travel.route((120.6015, 24.18), end, "car").distance_m == pytest.approx(106, abs=2)


def test_no_u_turn_binds_at_its_node(tmp_path: Path) -> None:
    banned = CROSS + relation("no_u_turn", 11, VIA_NODE, 11)
    roads = read_roads(extract(tmp_path, banned))
    ((first, last),) = roads.bans
    assert last == first ^ 1


def test_a_way_clipped_by_the_extract_keeps_what_is_there(tmp_path: Path) -> None:
    roads = read_roads(extract(tmp_path, STREETS))
    assert (roads.way == 2).sum() == 1


def test_a_file_without_roads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no road"):
        build_network(extract(tmp_path, ""))
    path = tmp_path / "broken.osm.pbf"
    path.write_bytes(b"no osm")
    with pytest.raises(NetworkError, match="cannot be read as OSM"):
        build_network(path)


def test_downloaded_streets_build_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = extract(tmp_path, CROSS), tmp_path / "streets.osm"

    def fetched(place: str, **_: object) -> object:
        if place == "nowhere":
            raise TypeError("Nominatim could not geocode query 'nowhere'")
        return osmnx.graph_from_xml(source, simplify=False, retain_all=True)

    monkeypatch.setattr(osmnx, "graph_from_place", fetched)
    download_streets("Springwater", target)
    assert metres(TravelTimes(build_network(target))) == pytest.approx(106, abs=2)
    with pytest.raises(NetworkError, match="'nowhere' cannot be downloaded"):
        download_streets("nowhere", target)
    assert osmnx.settings.all_oneway is False


@pytest.mark.shared
def test_restrictions_of_a_real_city_are_honoured(shared: Path) -> None:
    roads = read_roads(shared / "osm" / "monaco.osm.pbf")
    assert len(roads.bans) > 20
    network = build_network(shared / "osm" / "monaco.osm.pbf")
    links = network.links
    assert (links.banned > 0).sum() >= len(roads.bans)
    assert len(links.node) > len(network.node_lon)
