from pathlib import Path

import numpy as np
import pytest

from routing.build import build_network
from routing.errors import NetworkError
from routing.network import MODES

OSM = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
  <node id="1" version="1" lat="24.1800" lon="120.6000"/>
  <node id="2" version="1" lat="24.1800" lon="120.6010"/>
  <node id="3" version="1" lat="24.1800" lon="120.6020"/>
  <node id="4" version="1" lat="24.1810" lon="120.6010"/>
  <way id="1" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/>
    <tag k="highway" v="primary"/><tag k="oneway" v="yes"/><tag k="name" v="中山路"/></way>
  <way id="2" version="1"><nd ref="2"/><nd ref="4"/><nd ref="99"/>
    <tag k="highway" v="footway"/></way>
  <way id="3" version="1"><nd ref="1"/><nd ref="4"/><nd ref="3"/><nd ref="1"/>
    <tag k="building" v="yes"/></way>
</osm>
"""


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "small.osm"
    path.write_text(OSM, encoding="utf-8")
    return path


def test_ways_become_arcs_and_buildings_do_not(extract: Path) -> None:
    network = build_network(extract)
    assert network.length_m.sum() < 2 * (204 + 112)
    assert set(network.name.tolist()) == {"中山路", ""}


def test_one_way_binds_cars_and_not_people_on_foot(extract: Path) -> None:
    network = build_network(extract)
    car, foot = (network.time_s[MODES.index(mode)] for mode in ("car", "foot"))
    street = network.name == "中山路"
    east = network.node_lon[network.head] > network.node_lon[network.tail]
    assert np.isfinite(car[street & east]).all()
    assert np.isinf(car[street & ~east]).all()
    assert np.isfinite(foot[street]).all()
    assert np.isinf(car[~street]).all()


def test_a_way_clipped_by_the_extract_keeps_what_is_there(extract: Path) -> None:
    network = build_network(extract)
    assert (network.name == "").sum() == 2


def test_a_file_without_roads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.osm"
    path.write_text('<?xml version="1.0"?><osm version="0.6"></osm>', encoding="utf-8")
    with pytest.raises(NetworkError, match="no road"):
        build_network(path)
