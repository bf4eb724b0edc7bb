"""Building the road network with osmnx from a local OSM file.

pyosmium first strips the file to ways that a car, a moped or a person may use: osmnx's
``graph_from_xml`` reads every way of a file, buildings and boundaries too.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import osmium
import osmnx

from routing.errors import NetworkError
from routing.network import MODES, RoadNetwork

__all__ = ["build_network"]

# km/h by road class where no maxspeed is tagged [mem, editable defaults].
SPEEDS_KPH = {
    "motorway": 100.0,
    "trunk": 70.0,
    "primary": 50.0,
    "secondary": 45.0,
    "tertiary": 40.0,
    "unclassified": 30.0,
    "residential": 25.0,
    "living_street": 15.0,
    "service": 15.0,
    "road": 25.0,
}
MOPED_KPH = 25.0
FOOT_KPH = 4.8
_FOOT_ONLY = {"footway", "path", "pedestrian", "steps", "corridor", "bridleway"}
_NO_FOOT = {"motorway", "motorway_link"}
_NO_MOPED = _NO_FOOT | {"steps", "corridor"}
_CAR_TRACKS = {"track"}
_CLOSED = {"no", "private"}
_TAGS = ["highway", "oneway", "name", "maxspeed", "access", "foot", "junction", "motor_vehicle"]


def build_network(path: Path) -> RoadNetwork:
    """Build a road network from an OSM file (PBF or XML, also .gz).

    Raises
    ------
    NetworkError
        If the file holds no way that a mode may use.

    Notes
    -----
    One-way streets bind cars and mopeds; people on foot go both ways. What hangs together
    with less than half of the largest part is kept: a route there is possible inside it,
    and unreachable is said for the rest.
    """
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "roads.osm"
        if not _strip(path, stripped):
            raise NetworkError(f"{path.name} holds no road that anyone may use")
        kept = osmnx.settings.useful_tags_way
        osmnx.settings.useful_tags_way = _TAGS
        try:
            graph = osmnx.graph_from_xml(stripped, simplify=False, retain_all=True)
        finally:
            osmnx.settings.useful_tags_way = kept
    merged = osmnx.simplify_graph(graph, edge_attrs_differ=["highway", "oneway", "name", "foot"])
    return _flatten(merged)


def _strip(source: Path, target: Path) -> int:
    """Copy the usable ways with their nodes; return how many ways there are.

    An extract clips ways at its edge: the longest run of nodes that are there is kept.
    """
    links = {f"{kind}_link" for kind in SPEEDS_KPH}
    usable = {*SPEEDS_KPH, *links, *_FOOT_ONLY, *_CAR_TRACKS, "cycleway"}
    present = {node.id for node in osmium.FileProcessor(str(source), osmium.osm.NODE)}
    ways = 0
    roads = osmium.FileProcessor(str(source), osmium.osm.WAY).with_filter(
        osmium.filter.KeyFilter("highway")
    )
    with osmium.BackReferenceWriter(str(target), ref_src=str(source), overwrite=True) as writer:
        for way in roads:
            if not isinstance(way, osmium.osm.Way):
                continue
            if way.tags["highway"] not in usable or way.tags.get("area") == "yes":
                continue
            run = _longest_run([node.ref for node in way.nodes], present)
            if len(run) > 1:
                writer.add_way(way.replace(nodes=run))
                ways += 1
    return ways


def _longest_run(nodes: list[int], present: set[int]) -> list[int]:
    best: list[int] = []
    run: list[int] = []
    for node in nodes:
        run = [*run, node] if node in present else []
        best = run if len(run) > len(best) else best
    return best


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _speed_kph(data: dict[str, Any], kind: str) -> float:
    tagged = str(_one(data.get("maxspeed", ""))).split()
    if tagged and tagged[0].isdigit() and int(tagged[0]) > 0:
        return float(tagged[0]) * (1.609344 if "mph" in tagged else 1.0)
    return SPEEDS_KPH.get(kind.removesuffix("_link"), 20.0)


def _times_s(data: dict[str, Any], *, against: bool) -> tuple[float, float, float]:
    """Time by car, moped and on foot over one arc; `against` a one-way only people go."""
    kind, length_m = str(_one(data["highway"])), float(data["length"])
    closed = _one(data.get("access")) in _CLOSED or _one(data.get("motor_vehicle")) in _CLOSED
    driven = not against and not closed
    car = driven and kind not in _FOOT_ONLY and kind != "cycleway"
    moped = driven and kind not in _NO_MOPED and kind not in {"footway", "pedestrian"}
    foot = kind not in _NO_FOOT and _one(data.get("foot")) != "no"
    speeds = (_speed_kph(data, kind), min(MOPED_KPH, _speed_kph(data, kind)), FOOT_KPH)
    return tuple(  # type: ignore[return-value]  # three modes
        length_m / (speed / 3.6) if allowed else float("inf")
        for speed, allowed in zip(speeds, (car, moped, foot), strict=True)
    )


def _arcs(graph: Any) -> Iterable[tuple[int, int, dict[str, Any], list[tuple[float, float]], bool]]:
    """Yield each arc with its points, and beside each one-way the arc for people on foot."""
    nodes = graph.nodes
    for tail, head, data in graph.edges(data=True):
        if "geometry" in data:
            points = [(float(x), float(y)) for x, y in data["geometry"].coords]
        else:
            ends = (nodes[tail], nodes[head])
            points = [(float(node["x"]), float(node["y"])) for node in ends]
        yield tail, head, data, points, False
        if _one(data.get("oneway")):
            yield head, tail, data, points[::-1], True


def _flatten(graph: "nx.MultiDiGraph[int]") -> RoadNetwork:
    position = {node: index for index, node in enumerate(graph.nodes)}
    tails: list[int] = []
    heads: list[int] = []
    lengths: list[float] = []
    times: list[tuple[float, float, float]] = []
    names: list[str] = []
    points: list[list[tuple[float, float]]] = []
    twins: dict[tuple[tuple[float, float], ...], int] = {}
    twin: list[int] = []
    for tail, head, data, line, against in _arcs(graph):
        arc_times = _times_s(data, against=against)
        if not any(np.isfinite(arc_times)):
            continue
        index = len(tails)
        other = twins.pop(tuple(line[::-1]), -1)
        if other >= 0:
            twin[other] = index
        else:
            twins[tuple(line)] = index
        twin.append(other)
        tails.append(position[tail])
        heads.append(position[head])
        lengths.append(float(data["length"]))
        times.append(arc_times)
        names.append(str(_one(data.get("name")) or ""))
        points.append(line)
    if not tails:
        raise NetworkError("no mode may use any road of this network")
    flat = np.array([point for line in points for point in line], float)
    offset = np.concatenate([[0], np.cumsum([len(line) for line in points])])
    lonlat = np.array([(graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in graph.nodes], float)
    return RoadNetwork(
        node_lon=lonlat[:, 0],
        node_lat=lonlat[:, 1],
        tail=np.array(tails, np.int64),
        head=np.array(heads, np.int64),
        twin=np.array(twin, np.int64),
        length_m=np.array(lengths, float),
        time_s=np.array(times, float).T.reshape(len(MODES), -1),
        offset=offset.astype(np.int64),
        lon=flat[:, 0],
        lat=flat[:, 1],
        name=np.array(names, dtype=np.str_),
    )
