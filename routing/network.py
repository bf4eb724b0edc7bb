"""The road network as flat arrays: directed arcs with geometry, times per mode, names."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import LocalProjection
from routing.errors import NetworkError

__all__ = ["MODES", "RoadNetwork"]

MODES = ("car", "moped", "foot")
_VERSION = 1


@dataclass(frozen=True)
class RoadNetwork:
    """Directed arcs between nodes.

    Attributes
    ----------
    node_lon, node_lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    tail, head : ndarray of int64, shape (m,)
        Nodes that each arc goes from and to.
    twin : ndarray of int64, shape (m,)
        The arc over the same ground in the other direction; -1 where there is none.
    length_m : ndarray of float64, shape (m,)
    time_s : ndarray of float64, shape (3, m)
        Travel time by car, moped and on foot; infinite where the mode may not go.
    offset : ndarray of int64, shape (m + 1,)
        Arc i has the points ``offset[i]:offset[i + 1]``.
    lon, lat : ndarray of float64
        Points of all arcs in driving direction, degrees, EPSG:4326.
    name : ndarray of str, shape (m,)
    """

    node_lon: NDArray[np.float64]
    node_lat: NDArray[np.float64]
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    twin: NDArray[np.int64]
    length_m: NDArray[np.float64]
    time_s: NDArray[np.float64]
    offset: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    name: NDArray[np.str_]

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.node_lon)

    @property
    def arc_count(self) -> int:
        """Number of directed arcs."""
        return len(self.tail)

    @cached_property
    def local(self) -> LocalProjection:
        """Projection for distances on this network."""
        return LocalProjection.around(shapely.points(self.node_lon, self.node_lat))

    @cached_property
    def lines_m(self) -> NDArray[np.object_]:
        """Arcs as lines in metres."""
        x, y = self.local.xy(self.lon, self.lat)
        owner = np.repeat(np.arange(self.arc_count), np.diff(self.offset))
        lines: NDArray[np.object_] = shapely.linestrings(x, y, indices=owner)
        return lines

    @cached_property
    def trees(self) -> tuple[tuple[NDArray[np.int64], shapely.STRtree], ...]:
        """For each mode the arcs that it may use, and an index over them."""
        found = []
        for times in self.time_s:
            arcs = np.flatnonzero(np.isfinite(times)).astype(np.int64)
            found.append((arcs, shapely.STRtree(self.lines_m[arcs])))
        return tuple(found)

    def save(self, path: Path) -> None:
        """Write a versioned npz file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(partial, version=np.array(_VERSION), **arrays)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "RoadNetwork":
        """Read a network file.

        Raises
        ------
        NetworkError
            If it is missing or of another version.
        """
        if not path.exists():
            raise NetworkError(
                f"no road network at {path.name}: run onegrid import osm with the city's extract"
            )
        with np.load(path) as file:
            if int(file["version"]) != _VERSION:
                raise NetworkError(f"{path.name} is of another version: import the extract again")
            return cls(**{field.name: file[field.name] for field in fields(cls)})
