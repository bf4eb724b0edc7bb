"""The road network as flat arrays in one Arrow file that every process maps.

A *road* is a piece of street between two nodes, with a line and a name. It is driven along by
arc 2r and back by arc 2r + 1; the time of a direction that a mode may not take is infinite.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.columns import checksum_of, map_columns, write_columns
from gis.errors import ColumnsError
from routing.cells import Cells, roads_of_points
from routing.errors import NetworkError
from routing.hierarchy import Hierarchy

__all__ = ["MODES", "FellOff", "Ground", "Links", "RoadNetwork", "mode_index"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]

# By car, by moped or e-bike, on foot.
MODES = ("car", "moped", "foot")
_VERSION = 5


class Links(NamedTuple):
    """The graph that is searched: nodes by rank, copied where a turn is restricted.

    Attributes
    ----------
    node : ndarray of int32, shape (n,)
        Node of the network that each stands for.
    tail, head, arc : ndarray of int32, shape (l,)
        A link drives an arc from a node to a node; tails ascend.
    banned : ndarray of uint8, shape (l,)
        Modes that a turn restriction forbids this link: bit i is mode i.
    start : ndarray of int32, shape (n + 1,)
        Links that leave v are ``start[v]:start[v + 1]``.
    in_start : ndarray of int32, shape (n + 1,)
    in_link : ndarray of int32, shape (l,)
        Links that enter each node.
    in_tail, in_place : ndarray of int32, shape (l,)
        Their tails; and where each link stands among them.
    arc_start : ndarray of int32, shape (a + 1,)
    arc_link : ndarray of int32, shape (l,)
        Links that drive each arc.
    arc_head : ndarray of int32, shape (a,)
        Node to which an arc leads that is begun in its middle; -1 for an arc without links.
    """

    node: Int
    tail: Int
    head: Int
    arc: Int
    banned: NDArray[np.uint8]
    start: Int
    in_start: Int
    in_link: Int
    in_tail: Int
    in_place: Int
    arc_start: Int
    arc_link: Int
    arc_head: Int


class Ground(NamedTuple):
    """What a network looks like on the ground, for kernels; see `RoadNetwork`.

    Attributes
    ----------
    point_road : ndarray of int32, shape (p,)
        Road of each point.
    """

    point_start: Int
    point_road: Int
    lon: Float
    lat: Float
    along: Float
    length_m: Float
    name: Int
    cells: Cells


class FellOff(NamedTuple):
    """What a mode may use but not reach from the largest part, or not leave for it."""

    mode: str
    arcs: int
    length_m: float


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """Roads, their times, and the hierarchy over them.

    Attributes
    ----------
    node_lon, node_lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    tail, head : ndarray of int32, shape (r,)
        Nodes at which each road begins and ends.
    way : ndarray of int64, shape (r,)
        OSM way that the road is a piece of; 0 where there is none.
    kind, name : ndarray of int32, shape (r,)
        Road class and street, as positions in `kinds` and `names`.
    length_m : ndarray of float64, shape (r,)
    point_start : ndarray of int32, shape (r + 1,)
        The line of road r has the points ``point_start[r]:point_start[r + 1]``.
    lon, lat : ndarray of float64, shape (p,), degrees, EPSG:4326
    along : ndarray of float64, shape (p,)
        Share of its road's length at which each point lies.
    time_ms : ndarray of int32, shape (3, 2r)
        Milliseconds by car, moped and on foot over each arc; `INFINITE` where the mode may not.
    links : Links
    hierarchy : Hierarchy
    cells : Cells
    names, kinds : tuple of str
    fell_off : tuple of FellOff
    """

    node_lon: Float
    node_lat: Float
    tail: Int
    head: Int
    way: NDArray[np.int64]
    kind: Int
    name: Int
    length_m: Float
    point_start: Int
    lon: Float
    lat: Float
    along: Float
    time_ms: Int
    links: Links
    hierarchy: Hierarchy
    cells: Cells
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    fell_off: tuple[FellOff, ...]

    def __post_init__(self) -> None:  # noqa: D105 - said below
        # Kernels are compiled for arrays that nobody writes to, mapped or not.
        for _, array in _arrays(self):
            array.flags.writeable = False

    @property
    def road_count(self) -> int:
        """Number of roads."""
        return len(self.tail)

    @cached_property
    def depth(self) -> int:
        """Number of nodes on the longest way from the hierarchy's root."""
        return int(self.hierarchy.depth.max(initial=-1)) + 1

    @cached_property
    def ground(self) -> Ground:
        """Lines, lengths and names of the roads, and the index over them."""
        owner = roads_of_points(self.point_start)
        owner.flags.writeable = False
        lines = (self.point_start, owner, self.lon, self.lat, self.along)
        return Ground(*lines, self.length_m, self.name, self.cells)

    @cached_property
    def lines(self) -> NDArray[np.object_]:
        """Lines of all roads, EPSG:4326."""
        points = np.column_stack([self.lon, self.lat])
        lines: NDArray[np.object_] = shapely.linestrings(points, indices=self.ground.point_road)
        return lines

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Index over `lines`."""
        return shapely.STRtree(self.lines)

    @cached_property
    def checksum(self) -> str:
        """Of roads, times and links: two networks with the same one answer alike."""
        return checksum_of(dict(_arrays(self)))

    def save(self, path: Path) -> None:
        """Write an Arrow file; a reader sees the old one or the whole new one."""
        facts = {key: getattr(self, key) for key in _ABOUT}
        write_columns(path, dict(_arrays(self)), {"version": _VERSION, **facts})

    @classmethod
    def load(cls, path: Path) -> "RoadNetwork":
        """Map a network's file.

        Raises
        ------
        NetworkError
            If it is missing, damaged or of another version.
        """
        if not path.exists():
            raise NetworkError(
                f"no road network at {path.name}: run onegrid import osm with the city's extract"
            )
        try:
            arrays, about = map_columns(path)
        except ColumnsError as error:
            raise NetworkError(
                f"{path.name} is no road network ({error}): import the extract again"
            ) from error
        if about.get("version") != _VERSION:
            raise NetworkError(f"{path.name} is of another version: import the extract again")
        return _network(arrays, about)


def mode_index(mode: str) -> int:
    """Position of a mode in `MODES`.

    Raises
    ------
    NetworkError
        If there is no such mode.
    """
    try:
        return MODES.index(mode)
    except ValueError:
        raise NetworkError(f"no way of moving {mode!r}: {', '.join(MODES)}") from None


_PARTS: dict[str, Any] = {"links": Links, "hierarchy": Hierarchy, "cells": Cells}
_ABOUT = ("names", "kinds", "fell_off")


def _arrays(network: RoadNetwork) -> list[tuple[str, NDArray[Any]]]:
    """Every array with the name of its column."""
    found: list[tuple[str, NDArray[Any]]] = []
    for field in fields(network):
        value = getattr(network, field.name)
        if field.name in _PARTS:
            found += [(f"{field.name}.{key}", array) for key, array in value._asdict().items()]
        elif field.name not in _ABOUT:
            found.append((field.name, value))
    return found


def _network(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> RoadNetwork:
    values: dict[str, Any] = {key: array for key, array in arrays.items() if "." not in key}
    for name, kind in _PARTS.items():
        values[name] = kind(*[arrays[f"{name}.{key}"] for key in kind._fields])
    values["names"], values["kinds"] = tuple(about["names"]), tuple(about["kinds"])
    values["fell_off"] = tuple(FellOff(*one) for one in about["fell_off"])
    return RoadNetwork(**values)
