"""The travel-time engine: places snapped on roads, ways between them, times between many.

Pure: it holds a network and the conditions of the moment, asks no database and no clock. Any
thread may ask while another changes the conditions; an answer is of one generation.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from routing.conditions import Conditions
from routing.errors import NetworkError, OffNetworkError, UnreachableError
from routing.hierarchy import INFINITE
from routing.kernels.search import Room
from routing.kernels.snapping import MAX_SNAP_M, snap_many, snap_one
from routing.kernels.ways import draw_ways, fill_matrix
from routing.network import RoadNetwork, mode_index

__all__ = ["Snaps", "TravelTimes", "Trip", "Way"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]
# Mode, road and share where a way begins, road and share where it ends.
Trip = tuple[int, int, float, int, float]


@dataclass(frozen=True, slots=True)
class Snaps:
    """Places on roads.

    Attributes
    ----------
    road : ndarray of int32, shape (n,)
        -1 where no road that the mode may use lies within `MAX_SNAP_M`.
    share : ndarray of float64, shape (n,)
        How far along the road, 0 where it begins and 1 where it ends.
    distance_m : ndarray of float64, shape (n,)
        From the place to the road; infinite where there is none.
    """

    road: Int
    share: Float
    distance_m: Float


class Way(NamedTuple):
    """A way by road from one snapped place to another.

    Attributes
    ----------
    time_s, distance_m : float
    lonlat : ndarray of float64, shape (q, 2), degrees, EPSG:4326
        Its line, clipped at both ends.
    arcs : ndarray of int32
        In driving order, the first and the last in part; see `RoadNetwork`.
    streets : list of str
        Names along the way, none twice in a row.
    generation : int
        Of the conditions that it was found in.
    """

    time_s: float
    distance_m: float
    lonlat: Float
    arcs: Int
    streets: list[str]
    generation: int

    @property
    def line(self) -> Any:
        """Line as a shapely.LineString, EPSG:4326."""
        return shapely.linestrings(self.lonlat)


class TravelTimes:
    """Travel times over one network.

    Parameters
    ----------
    network : RoadNetwork
    conditions : Conditions, optional
        The usual ones by default.
    """

    def __init__(self, network: RoadNetwork, conditions: Conditions | None = None) -> None:
        self.network = network
        self._conditions = conditions or Conditions.usual(network)
        self._changing = threading.Lock()
        self._own = threading.local()

    @property
    def conditions(self) -> Conditions:
        """What holds now; an object that never changes."""
        return self._conditions

    def change(self, arcs: NDArray[np.int64], ms: Int) -> Conditions:
        """Make other times hold on some arcs from the next request on.

        As `Conditions.changed`; changes wait for each other, requests for none.
        """
        with self._changing:
            now = self._conditions
            self._conditions = now.changed(self.network, arcs, ms, now.generation + 1)
            return self._conditions

    def snap(
        self, lon: ArrayLike, lat: ArrayLike, mode: str, conditions: Conditions | None = None
    ) -> Snaps:
        """Snap places to the nearest roads that are open to a mode.

        Parameters
        ----------
        lon, lat : array_like of float, shape (n,), degrees, EPSG:4326
        mode : {'car', 'moped', 'foot'}

        Raises
        ------
        NetworkError
            If a coordinate is not finite or not in degrees, or no road is open to the mode.
        """
        x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
        arc_ms = (conditions or self._conditions).times[mode_index(mode)].arc
        _checked(x, y)
        found = snap_many(self.network.ground, arc_ms, x, y)
        if (found[0] < 0).all():
            self._open_to(mode, arc_ms)
        return Snaps(*found)

    def route(self, start: tuple[float, float], end: tuple[float, float], mode: str) -> Way:
        """The fastest way between two places (lon, lat; EPSG:4326).

        Raises
        ------
        OffNetworkError
            If a place is farther than `MAX_SNAP_M` from a road that the mode may use.
        UnreachableError
            If no open way leads from one to the other.
        """
        now = self._conditions
        number = mode_index(mode)
        trip = (number, *self.snapped(start, mode, now), *self.snapped(end, mode, now))
        way = self.ways([trip], now)[0]
        if way is None:
            raise UnreachableError(f"no open way for mode {mode!r} from {start} to {end}")
        return way

    def snapped(
        self, place: tuple[float, float], mode: str, conditions: Conditions
    ) -> tuple[int, float]:
        """Road and share of one place; as `snap`, and it must be on the network.

        Raises
        ------
        OffNetworkError
            If no road open to the mode lies within `MAX_SNAP_M`.
        """
        lon, lat = place
        if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
            raise _no_degrees(1, 1, lon, lat)
        arc_ms = conditions.times[mode_index(mode)].arc
        road, share, _ = snap_one(self.network.ground, arc_ms, float(lon), float(lat))
        if road < 0:
            self._open_to(mode, arc_ms)
            raise OffNetworkError(
                f"({lon}, {lat}) is more than {MAX_SNAP_M:.0f} m from any road open to mode "
                f"{mode!r}: check the place and its coordinate system (lon, lat; EPSG:4326)"
            )
        return road, share

    def ways(self, trips: Sequence[Trip], conditions: Conditions) -> list[Way | None]:
        """The fastest ways between pairs of snapped places; None where there is none."""
        net = self.network
        ms, length_m, ends, arcs, lonlat, called = draw_ways(
            net.ground,
            net.hierarchy,
            net.depth,
            net.links,
            conditions.times,
            np.array(trips, float).reshape(-1, 5),
        )
        found: list[Way | None] = []
        names, generation = net.names, conditions.generation
        a = p = s = 0
        for took, metres, (to_a, to_p, to_s) in zip(
            ms.tolist(), length_m.tolist(), ends[1:].tolist(), strict=True
        ):
            way = None
            if took < INFINITE:
                streets = [names[name] for name in called[s:to_s].tolist() if names[name]]
                line = lonlat[p:to_p]
                way = Way(took / 1000.0, metres, line, arcs[a:to_a], streets, generation)
            found.append(way)
            a, p, s = to_a, to_p, to_s
        return found

    def matrix(
        self,
        start_lon: ArrayLike,
        start_lat: ArrayLike,
        end_lon: ArrayLike,
        end_lat: ArrayLike,
        mode: str,
    ) -> Float:
        """Seconds between all pairs of places, infinite where there is no way or no road near.

        Parameters
        ----------
        start_lon, start_lat : array_like of float, shape (s,), degrees, EPSG:4326
        end_lon, end_lat : array_like of float, shape (t,), degrees, EPSG:4326

        Returns
        -------
        ndarray of float64, shape (s, t)
        """
        now = self._conditions
        start = self.snap(start_lon, start_lat, mode, now)
        end = self.snap(end_lon, end_lat, mode, now)
        found = np.empty((len(start.road), len(end.road)), np.int32)
        net, times = self.network, now.times[mode_index(mode)]
        fill_matrix(
            net.hierarchy,
            net.depth,
            net.links,
            times,
            start.road,
            start.share,
            end.road,
            end.share,
            found,
        )
        return np.where(found < INFINITE, found / 1000.0, np.inf)

    def room(self) -> Room:
        """Room for a search, kept for this thread."""
        room: Room | None = getattr(self._own, "room", None)
        if room is None:
            room = self._own.room = Room.for_links(self.network.links)
        return room

    def _open_to(self, mode: str, arc_ms: Int) -> None:
        if not (arc_ms < INFINITE).any():
            raise NetworkError(f"no road of this network is open to mode {mode!r}")


def _checked(lon: Float, lat: Float) -> None:
    wrong = np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))
    if len(wrong):
        i = int(wrong[0])
        raise _no_degrees(i + 1, len(lon), lon[i], lat[i])


def _no_degrees(number: int, count: int, lon: float, lat: float) -> NetworkError:
    return NetworkError(
        f"place {number} of {count} has the coordinates ({lon}, {lat}): "
        "give finite degrees, lon then lat, EPSG:4326"
    )
