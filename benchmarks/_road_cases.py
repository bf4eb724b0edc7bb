"""Road networks that the benchmarks run on, and positions on them."""

from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from numpy.typing import NDArray

from benchmarks._cases import shared_data
from routing.assembly import Roads, assemble
from routing.building import read_roads
from routing.hierarchy import INFINITE
from routing.network import RoadNetwork

__all__ = ["Case", "cached", "luxembourg", "on_roads", "roads_of_city", "tiled"]

Float = NDArray[np.float64]
Case = tuple[Roads, RoadNetwork]
_STITCHES, _STITCH_MS = 60, 3_600.0 / 45.0


def roads_of_city(name: str) -> Roads:
    """Roads of ``osm/name.osm.pbf``."""
    return read_roads(shared_data() / "osm" / f"{name}.osm.pbf")


def cached(name: str, roads: Roads, *, whole: bool = False) -> RoadNetwork:
    """A network, kept in the system's temporary folder while its source is the same."""
    path = Path(gettempdir()) / "onegrid-bench" / f"{name}.arrow"
    network = assemble(roads, whole=whole)
    network.save(path)
    return RoadNetwork.load(path)


def luxembourg() -> tuple[Roads, dict[str, NDArray[np.int64]]]:
    """RoutingKit's Luxembourg, every arc a one-way road by car, and its reference queries."""
    folder = shared_data() / "routing_oracle"

    def read(name: str, kind: str = "u4") -> NDArray[np.int64]:
        return np.fromfile(folder / f"luxembourg_{name}", kind).astype(np.int64)

    first, head = read("first_out"), read("head").astype(np.int32)
    tail = np.repeat(np.arange(len(first) - 1), np.diff(first)).astype(np.int32)
    lon = np.fromfile(folder / "luxembourg_longitude", "f4").astype(float)
    lat = np.fromfile(folder / "luxembourg_latitude", "f4").astype(float)
    order = read("cch_order")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    time_ms = np.full((3, 2 * len(tail)), INFINITE, np.int32)
    time_ms[0, ::2] = read("travel_time")
    ends = np.column_stack([tail, head]).ravel()
    none = np.zeros(len(tail), np.int32)
    roads = Roads(
        node_lon=lon,
        node_lat=lat,
        tail=tail,
        head=head,
        length_m=read("geo_distance").astype(float),
        time_ms=time_ms,
        point_start=np.arange(0, 2 * len(tail) + 1, 2),
        lon=lon[ends],
        lat=lat[ends],
        way=none.astype(np.int64),
        kind=none,
        name=none,
        rank=rank,
    )
    queries = {
        "source": read("source_node"),
        "target": read("target_node"),
        "time": read("query_reference_travel_time_length"),
        "first": first,
    }
    return roads, queries


def tiled(roads: Roads, side: int) -> Roads:
    """Copies of a city in a square, neighbours joined by roads along their borders; synthetic."""
    width, height = np.ptp(roads.node_lon) * 1.002, np.ptp(roads.node_lat) * 1.002
    nodes, count = len(roads.node_lon), len(roads.tail)
    points = np.diff(roads.point_start).astype(np.int64)
    tiles = [(x, y) for y in range(side) for x in range(side)]
    lon = np.concatenate([roads.node_lon + x * width for x, _ in tiles])
    lat = np.concatenate([roads.node_lat + y * height for _, y in tiles])
    joins = _stitches(roads, side, lon, lat)
    a, b = joins[:, 0], joins[:, 1]
    across = (lon[a] - lon[b]) * np.cos(np.radians(lat[a])) * 111_195.0
    join_m = np.hypot(across, (lat[a] - lat[b]) * 111_195.0)
    ms = np.repeat(np.maximum(np.rint(join_m * _STITCH_MS), 1), 2).astype(np.int32)
    ends = joins.ravel()
    copies = len(tiles)

    def shifted(values: Float, axis: int, step: float) -> Float:
        return np.concatenate([values + tile[axis] * step for tile in tiles])

    def again(values: NDArray[np.int32], last: NDArray[np.int32] | int) -> NDArray[np.int32]:
        extra = np.full(len(joins), last, np.int32)
        return np.concatenate([np.tile(values, copies), extra]).astype(np.int32)

    def moved(values: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.concatenate([values + i * nodes for i in range(copies)]).astype(np.int32)

    start = np.concatenate([[0], np.cumsum([*np.tile(points, copies), *([2] * len(joins))])])
    return replace(
        roads,
        node_lon=lon,
        node_lat=lat,
        tail=np.append(moved(roads.tail), a).astype(np.int32),
        head=np.append(moved(roads.head), b).astype(np.int32),
        length_m=np.concatenate([np.tile(roads.length_m, copies), join_m]),
        time_ms=np.concatenate(
            [np.tile(roads.time_ms, (1, copies)), np.stack([ms, ms, 10 * ms])], axis=1
        ),
        point_start=start,
        lon=np.concatenate([shifted(roads.lon, 0, width), lon[ends]]),
        lat=np.concatenate([shifted(roads.lat, 1, height), lat[ends]]),
        way=np.concatenate([np.tile(roads.way, copies), np.zeros(len(joins), np.int64)]),
        kind=again(roads.kind, 0),
        name=again(roads.name, 0),
        bans={
            tuple(arc + 2 * count * i for arc in ban): modes
            for i in range(copies)
            for ban, modes in roads.bans.items()
        },
    )


def _stitches(roads: Roads, side: int, lon: Float, lat: Float) -> NDArray[np.int64]:
    """Pairs of nodes across every border: those at the edge, matched along it."""
    nodes = len(roads.node_lon)
    used = np.unique(np.concatenate([roads.tail, roads.head]))
    east = used[np.argsort(-roads.node_lon[used])[:_STITCHES]]
    west = used[np.argsort(roads.node_lon[used])[:_STITCHES]]
    north = used[np.argsort(-roads.node_lat[used])[:_STITCHES]]
    south = used[np.argsort(roads.node_lat[used])[:_STITCHES]]
    pairs = []
    for y in range(side):
        for x in range(side):
            here = (y * side + x) * nodes
            for other, mine, theirs, along, there in (
                (here + nodes, east, west, lat, x + 1 < side),
                (here + side * nodes, north, south, lon, y + 1 < side),
            ):
                if there:
                    a, b = mine + here, theirs + other
                    pairs.append(
                        np.column_stack([a[np.argsort(along[a])], b[np.argsort(along[b])]])
                    )
    return np.concatenate(pairs)


def on_roads(network: RoadNetwork, count: int, rng: np.random.Generator, mode: int = 0) -> Float:
    """Places a few metres beside roads that a mode may use; shape (count, 2), lon and lat."""
    usable = (network.time_ms[mode] < INFINITE).reshape(-1, 2).any(axis=1)
    points = np.flatnonzero(usable[network.ground.point_road])
    at = points[rng.integers(0, len(points), count)]
    jitter = rng.normal(0, 5e-5, (count, 2))
    return np.column_stack([network.lon[at], network.lat[at]]) + jitter
