"""Building a network: OSM ways to a graph, osmnx's simplification, flat arrays."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import osmnx
from numpy.typing import NDArray

from routing.assembly import Roads, assemble
from routing.building.reading import Extract, read_extract
from routing.building.restrictions import Arcs, bans_of
from routing.building.rules import Rules
from routing.hierarchy import INFINITE
from routing.network import MODES, RoadNetwork

__all__ = ["build_network", "read_roads"]

Float = NDArray[np.float64]
Graph = nx.MultiDiGraph
Speeds = dict[int, tuple[tuple[float, ...], tuple[float, ...]]]


def build_network(path: Path, *, rules: Rules | None = None) -> RoadNetwork:
    """Build a road network from an OSM file (PBF or XML, also compressed).

    Parameters
    ----------
    path : Path
    rules : Rules, optional
        Access and speeds; those of this project by default.

    Raises
    ------
    NetworkError
        If the file holds no way that a mode may use.

    Notes
    -----
    A road is a piece of one OSM way between junctions, ends and nodes of turn restrictions, so
    that its tags are one way's. One-way streets bind cars and mopeds; people on foot go both
    ways. What a mode cannot reach from its largest part, and come back, is closed to it.
    """
    return assemble(read_roads(path, rules=rules))


def read_roads(path: Path, *, rules: Rules | None = None) -> Roads:
    """Read the roads that `build_network` builds a network of."""
    chosen = rules or Rules.read()
    extract = read_extract(path, chosen)
    speeds: Speeds = {
        way.id: (chosen.speeds_kph(way.tags, back=False), chosen.speeds_kph(way.tags, back=True))
        for way in extract.ways
    }
    via = {one.via_node for one in extract.restrictions if one.via_node is not None}
    graph = osmnx.simplify_graph(
        _graph(extract, speeds, via), node_attrs_include=["via"], edge_attrs_differ=["osmid"]
    )
    return _roads(graph, extract, speeds)


def _graph(extract: Extract, speeds: Speeds, via: set[int]) -> "Graph[int]":
    """Every piece of every way between two of its nodes, in each direction that a mode takes."""
    graph: Graph[int] = nx.MultiDiGraph(crs="EPSG:4326")
    for way in extract.ways:
        for ref in way.nodes:
            x, y = extract.nodes[ref]
            if ref in via:
                graph.add_node(ref, x=x, y=y, via=True)
            else:
                graph.add_node(ref, x=x, y=y)
    for way in extract.ways:
        for back, nodes in ((False, way.nodes), (True, way.nodes[::-1])):
            if any(speeds[way.id][back]):
                graph.add_edges_from(pairwise(nodes), osmid=way.id, back=back)
    return osmnx.distance.add_edge_lengths(graph)


def _roads(graph: "Graph[int]", extract: Extract, speeds: Speeds) -> Roads:
    """Arcs over the same ground in opposite directions are one road."""
    position = {node: i for i, node in enumerate(graph.nodes)}
    ways = {way.id: way for way in extract.ways}
    rows: list[tuple[int, int, int, float]] = []
    arc_ms: list[Float] = []
    lines: list[Float] = []
    waiting: dict[tuple[int, bytes], int] = {}
    nothing = np.full(len(MODES), float(INFINITE))
    for tail, head, data in graph.edges(data=True):
        line = _line(graph, tail, head, data)
        way = _one(data["osmid"])
        ms = _times_ms(data["length"], speeds[way][_one(data["back"])])
        other = waiting.pop((way, line[::-1].tobytes()), None)
        if other is not None:
            arc_ms[2 * other + 1] = ms
            continue
        waiting[way, line.tobytes()] = len(rows)
        rows.append((position[tail], position[head], way, data["length"]))
        lines.append(line)
        arc_ms += [ms, nothing]
    table = np.array(rows, dtype="i4,i4,i8,f8")
    order = _by_place(np.array([line.mean(axis=0) for line in lines]))
    table, lines = table[order], [lines[road] for road in order]
    ms = np.array(arc_ms).reshape(-1, 2, len(MODES))[order].reshape(-1, len(MODES))
    time_ms: NDArray[np.int32] = np.ascontiguousarray(ms.T.astype(np.int32))
    node_lonlat = np.array([(graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in graph.nodes])
    flat = np.concatenate(lines)
    kinds, kind = _named([ways[way].tags["highway"] for way in table["f2"].tolist()])
    names, name = _named([ways[way].tags.get("name", "") for way in table["f2"].tolist()])
    return Roads(
        node_lon=node_lonlat[:, 0],
        node_lat=node_lonlat[:, 1],
        tail=table["f0"],
        head=table["f1"],
        length_m=table["f3"],
        time_ms=time_ms,
        point_start=np.concatenate([[0], np.cumsum([len(line) for line in lines])]),
        lon=flat[:, 0],
        lat=flat[:, 1],
        way=table["f2"],
        kind=kind,
        name=name,
        kinds=kinds,
        names=names,
        bans=_bans(extract, table, time_ms, position),
    )


def _bans(
    extract: Extract, table: Any, time_ms: NDArray[np.int32], position: dict[int, int]
) -> dict[tuple[int, ...], int]:
    ends = np.column_stack([table["f0"], table["f1"]])
    tail, head = ends.ravel(), ends[:, ::-1].ravel()
    used = np.any(time_ms < INFINITE, axis=0, keepdims=True)[0]
    arcs = Arcs.of(tail, head, np.repeat(table["f2"], 2), used)
    return bans_of(extract.restrictions, arcs, position)[0]


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _line(graph: "Graph[int]", tail: int, head: int, data: dict[str, Any]) -> Float:
    if "geometry" in data:
        return np.array(data["geometry"].coords, float)
    ends = (graph.nodes[tail], graph.nodes[head])
    return np.array([(node["x"], node["y"]) for node in ends], float)


def _times_ms(length_m: float, kph: tuple[float, ...]) -> Float:
    """Whole milliseconds, at least one; `INFINITE` at speed 0."""
    speed = np.array(kph)
    with np.errstate(divide="ignore"):
        return np.where(speed > 0, np.maximum(np.rint(length_m * 3600.0 / speed), 1.0), INFINITE)


def _named(values: list[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct values, and which of them each is."""
    names = sorted(set(values))
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place[value] for value in values], np.int32)


def _by_place(lonlat: Float) -> NDArray[np.int64]:
    """Order along a Z curve (Morton 1966): a way's roads then lie close together in memory."""
    low, high = lonlat.min(axis=0), lonlat.max(axis=0)
    cell = ((lonlat - low) / np.maximum(high - low, 1e-12) * 0xFFFF).astype(np.uint64)
    key = np.zeros(len(cell), np.uint64)
    for bit in range(16):
        for axis in (0, 1):
            key |= (cell[:, axis] >> np.uint64(bit) & np.uint64(1)) << np.uint64(2 * bit + axis)
    return np.argsort(key, kind="stable")
