"""Responders on the road, and the nearest of them: live, exact, from where they are now."""

import threading
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from routing.cells import metres_per_degree
from routing.conditions import Conditions
from routing.costs import Costs, measure_costs
from routing.errors import NetworkError
from routing.hierarchy import INFINITE
from routing.kernels.crew import (
    Crew,
    Ranking,
    ask_labels,
    place,
    search_around,
    take_away,
    write_label,
)
from routing.kernels.snapping import MAX_SNAP_M, snap_one
from routing.network import MODES, mode_index
from routing.reach import reach_from
from routing.travel import Snaps, TravelTimes, Way

__all__ = ["Fleet", "Nearest"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

# A search that has settled so many times what was expected, and cost as much as labels would,
# asks them instead.
_PATIENCE = 4
# Where more roads than this are opened at once, all positions are snapped anew.
_MANY_ROADS = 64


class Nearest(NamedTuple):
    """Who is there first.

    Attributes
    ----------
    keys : tuple
        Responders, the fastest first; equally fast ones in the order in which they came.
    ways : tuple of Way
        From each to the incident.
    generation : int
        Of the conditions that all of it was found in.
    """

    keys: tuple[Hashable, ...]
    ways: tuple[Way, ...]
    generation: int


class Fleet:
    """Responders with their latest positions on a network; one lock, held for microseconds.

    Parameters
    ----------
    travel : TravelTimes
    costs : Costs, optional
        By which it is reckoned how to search; measured now by default.
    """

    def __init__(self, travel: TravelTimes, *, costs: Costs | None = None) -> None:
        self._travel = travel
        self._lock = threading.Lock()
        self._row: dict[Hashable, int] = {}
        self._key: list[Hashable] = []
        self._free: list[int] = []
        self._lon, self._lat, self._snap_m = np.empty(0), np.empty(0), np.empty(0)
        self._count = [0] * len(MODES)
        self._crew = _crew(0, travel)
        self._held = travel.conditions
        self._costs = costs or measure_costs(travel.network, self._held)
        # For each mode: seconds spent in searches that labels would have saved, and whether
        # labels are kept.
        self._wasted_s = [0.0] * len(MODES)
        self._labelling = [False] * len(MODES)

    def __len__(self) -> int:
        """How many responders there are, on a road or not."""
        return len(self._row)

    def put(self, key: Hashable, lon: float, lat: float, mode: str) -> float:
        """Add a responder or move them; return how far the nearest open road is, in metres.

        Parameters
        ----------
        lon, lat : float, degrees, EPSG:4326
        mode : {'car', 'moped', 'foot'}

        Raises
        ------
        NetworkError
            If the coordinates are not finite degrees or the mode is unknown.
        """
        number = mode_index(mode)
        if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
            raise NetworkError(f"{key!r} is at ({lon}, {lat}): give finite degrees, lon then lat")
        with self._lock:
            self._follow()
            row = self._row.get(key)
            if row is None:
                row = self._new_row(key)
            else:
                take_away(self._crew, row)
                self._count[self._crew.mode[row]] -= 1
            self._crew.mode[row] = number
            self._count[number] += 1
            self._lon[row], self._lat[row] = lon, lat
            self._snap(row)
            if self._labelling[number]:
                net, times = self._travel.network, self._held.times[number]
                since = self._held.since[number]
                write_label(self._crew, net.hierarchy, net.links, times, since, row)
            return float(self._snap_m[row])

    def remove(self, key: Hashable) -> None:
        """Take a responder away; nothing happens where there is none."""
        with self._lock:
            row = self._row.pop(key, None)
            if row is not None:
                take_away(self._crew, row)
                self._count[self._crew.mode[row]] -= 1
                self._key[row] = None
                self._lon[row] = np.nan
                self._free.append(row)

    def replace(
        self, keys: Sequence[Hashable], lon: ArrayLike, lat: ArrayLike, modes: Sequence[str]
    ) -> None:
        """Make these all responders there are; only those who moved are snapped anew."""
        x, y = np.asarray(lon, float), np.asarray(lat, float)
        for key in set(self._row) - set(keys):
            self.remove(key)
        for i, key in enumerate(keys):
            row = self._row.get(key)
            if row is not None:
                same = self._lon[row] == x[i] and self._lat[row] == y[i]
                if same and MODES[self._crew.mode[row]] == modes[i]:
                    continue
            self.put(key, float(x[i]), float(y[i]), modes[i])

    def nearest(
        self,
        incident: tuple[float, float],
        k: int = 3,
        asked: Collection[Hashable] | None = None,
        *,
        without: Collection[Hashable] = (),
    ) -> Nearest:
        """The k responders who are there first, each by their own way of moving.

        Parameters
        ----------
        incident : tuple of float
            lon, lat; degrees, EPSG:4326.
        k : int
            How many; fewer are returned where fewer can come.
        asked : collection of keys, optional
            Who may go; all by default. Unknown keys are passed over.
        without : collection of keys
            Who may not, of those.

        Raises
        ------
        OffNetworkError
            If no road open to any responder's mode lies near the incident.
        NetworkError
            If `k` is not positive or the coordinates are no degrees.
        """
        if k < 1:
            raise NetworkError(f"the nearest {k} responders: ask for at least one")
        with self._lock:
            held, rows, ms, ends = self._ranked(incident, k, asked, without)
            keys = tuple(self._key[row] for row in rows)
            crew = self._crew
            trips = [
                (mode := int(crew.mode[row]), int(crew.road[row]), float(crew.share[row]))
                + ends[mode]
                for row in rows
            ]
        ways = self._travel.ways(trips, held)
        sure = [way for way in ways if way is not None]
        if [way.time_s for way in sure] != [took / 1000.0 for took in ms]:
            raise NetworkError("the engines disagree about a way: please report this")
        return Nearest(keys, tuple(sure), held.generation)

    def times_s(
        self, incident: tuple[float, float], asked: Collection[Hashable] | None = None
    ) -> dict[Hashable, float]:
        """Seconds from each responder to the incident; infinite for those who cannot come.

        One search backwards over the whole network for each way of moving.
        """
        with self._lock:
            held = self._follow()
            wanted = self._row if asked is None else asked
            rows = {key: self._row[key] for key in wanted if key in self._row}
            every = np.array(list(rows.values()), np.int64)
            mode, road = self._crew.mode[every], self._crew.road[every]
            share = self._crew.share[every]
        ms = np.full(len(every), INFINITE, np.int32)
        for number in np.unique(mode).tolist():
            end = self._travel.snap(incident[0], incident[1], MODES[number], held)
            mine = mode == number
            own = Snaps(road[mine], share[mine], np.zeros(int(mine.sum())))
            back = reach_from(self._travel, end, MODES[number], np.inf, held, back=True)
            ms[mine] = back.times_ms(own)
        seconds = np.where(ms < INFINITE, ms / 1000.0, np.inf).tolist()
        return dict(zip(rows, seconds, strict=True))

    def placed(self, mode: str) -> dict[Hashable, tuple[int, float]]:
        """Road and share of every responder of a mode; a road of -1 for those off the network."""
        number = mode_index(mode)
        with self._lock:
            self._follow()
            crew = self._crew
            return {
                key: (int(crew.road[row]), float(crew.share[row]))
                for key, row in self._row.items()
                if crew.mode[row] == number
            }

    def why_unreachable(self, key: Hashable) -> str:
        """Why a responder cannot come who was asked and not found."""
        row = self._row.get(key)
        if row is None:
            return "off duty: no position"
        if self._crew.road[row] < 0:
            return "the responder is off the road network"
        return "no open road leads from the responder to the incident"

    def _ranked(
        self,
        incident: tuple[float, float],
        k: int,
        asked: Collection[Hashable] | None,
        without: Collection[Hashable],
    ) -> tuple[Conditions, list[int], list[int], dict[int, tuple[int, float]]]:
        """Rows and milliseconds of the k first; where the incident lies for each mode."""
        held = self._follow()
        k = min(k, len(self._key))
        chosen = self._chosen(asked, without)
        ranking = Ranking(np.empty(k, np.int32), np.empty(k, np.int32), np.zeros(1, np.int64))
        ends: dict[int, tuple[int, float]] = {}
        lost: NetworkError | None = None
        for number, mode in enumerate(MODES):
            count = self._asked_of(number, chosen, asked, without)
            if not count:
                continue
            try:
                ends[number] = self._travel.snapped(incident, mode, held)
            except NetworkError as error:
                lost = error
                continue
            self._rank(held, number, ends[number], chosen, count, ranking)
        if not ends and lost is not None:
            raise lost
        found = int(ranking.found[0])
        return held, ranking.row[:found].tolist(), ranking.ms[:found].tolist(), ends

    def _rank(
        self,
        held: Conditions,
        mode: int,
        end: tuple[int, float],
        chosen: Bool,
        count: int,
        ranking: Ranking,
    ) -> None:
        """Rank one mode's responders by whatever is expected to be faster."""
        net, times, crew = self._travel.network, held.times[mode], self._crew
        wanted, nodes = len(ranking.ms), len(net.links.node)
        costs = self._costs
        search_s = costs.search_s(nodes, wanted, count)
        labelling = self._labelling[mode] = search_s > costs.labels_s(count, 0)
        stale = count
        if labelling:
            former = crew.labelled[chosen] != held.since[mode]
            stale = min(int(np.count_nonzero(former)), count)
        labels_s = costs.labels_s(count, stale)
        # Labels pay for themselves over several questions: they are made as soon as searches
        # have cost as much.
        if not labelling or search_s <= labels_s - self._wasted_s[mode]:
            most = int(max(_PATIENCE * search_s, labels_s) / costs.node_s) + 1
            done = search_around(
                crew, net.links, times, self._travel.room(), mode, *end, chosen, ranking, most
            )
            self._wasted_s[mode] += search_s if labelling else 0.0
            if done >= 0:
                return
        self._wasted_s[mode] = 0.0
        ask_labels(
            crew, net.hierarchy, net.links, times, held.since[mode], mode, *end, chosen, ranking
        )

    def _chosen(self, asked: Collection[Hashable] | None, without: Collection[Hashable]) -> Bool:
        chosen = np.full(len(self._crew.road), asked is None)
        if asked is not None:
            chosen[[self._row[key] for key in asked if key in self._row]] = True
        chosen[[self._row[key] for key in without if key in self._row]] = False
        return chosen

    def _asked_of(
        self,
        mode: int,
        chosen: Bool,
        asked: Collection[Hashable] | None,
        without: Collection[Hashable],
    ) -> int:
        """How many of a mode are asked; rows that nobody has now are none of them."""
        if asked is not None:
            return int(np.count_nonzero(self._crew.mode[chosen] == mode))
        out = [self._row[key] for key in set(without) if key in self._row]
        return self._count[mode] - int(np.count_nonzero(self._crew.mode[out] == mode))

    def _new_row(self, key: Hashable) -> int:
        if self._free:
            row = self._free.pop()
            self._key[row] = key
        else:
            row = len(self._key)
            self._key.append(key)
            if row == len(self._crew.road):
                self._grow()
        self._row[key] = row
        return row

    def _grow(self) -> None:
        old, size = self._crew, max(64, 2 * len(self._crew.road))
        new = _crew(size, self._travel)
        for field in set(Crew._fields) - {"at_node"}:
            before = getattr(old, field)
            getattr(new, field)[: len(before)] = before
        self._crew = new._replace(at_node=old.at_node)
        for name in ("_lon", "_lat", "_snap_m"):
            longer = np.full(size, np.nan)
            longer[: len(getattr(self, name))] = getattr(self, name)
            setattr(self, name, longer)

    def _snap(self, row: int) -> None:
        """Put a row that was taken away on the road nearest to its position."""
        net, crew = self._travel.network, self._crew
        arc_ms = self._held.times[crew.mode[row]].arc
        road, share, self._snap_m[row] = snap_one(
            net.ground, arc_ms, self._lon[row], self._lat[row]
        )
        place(crew, net.links, arc_ms, row, road, share)

    def _follow(self) -> Conditions:
        """Take over the conditions of now: who stood on a road that changed is put there anew."""
        now, before = self._travel.conditions, self._held
        if now is before:
            return now
        self._held = now
        used = np.flatnonzero(~np.isnan(self._lon[: len(self._key)]))
        for mode in range(len(MODES)):
            if now.since[mode] != before.since[mode] and self._count[mode]:
                mine = used[self._crew.mode[used] == mode]
                for row in self._touched(mine, before.times[mode].arc, now.times[mode].arc):
                    take_away(self._crew, row)
                    self._snap(row)
        return now

    def _touched(self, rows: NDArray[np.int64], before: Int, now: Int) -> list[int]:
        """Rows on a road whose times changed, and those near one that was opened."""
        road = self._crew.road[rows]
        changed = (before != now).reshape(-1, 2).any(axis=1)
        touched = (road < 0) | changed[road]
        closed = (before >= INFINITE).reshape(-1, 2).all(axis=1)
        opened = np.flatnonzero(closed & (now < INFINITE).reshape(-1, 2).any(axis=1))
        if len(opened) > _MANY_ROADS:
            touched[:] = True
        for one in opened[:_MANY_ROADS].tolist():
            touched |= self._near(rows, one)
        return [int(row) for row in rows[touched]]

    def _near(self, rows: NDArray[np.int64], road: int) -> Bool:
        """Rows that may be nearer to a road than to their own."""
        net = self._travel.network
        points = slice(net.point_start[road], net.point_start[road + 1])
        lat, lon = self._lat[rows], self._lon[rows]
        near_m = np.minimum(self._snap_m[rows], MAX_SNAP_M) * 1.01
        scale = metres_per_degree(float(np.abs(net.lat[points]).max()))
        across, reach = near_m / scale[0], near_m / scale[1]
        west, east = net.lon[points].min() - across, net.lon[points].max() + across
        south, north = net.lat[points].min() - reach, net.lat[points].max() + reach
        near: Bool = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        return near


def _crew(size: int, travel: TravelTimes) -> Crew:
    """Room for responders; labels take memory only where they are written."""
    network = travel.network
    return Crew(
        mode=np.zeros(size, np.int8),
        road=np.full(size, -1, np.int32),
        share=np.zeros(size),
        ahead_ms=np.zeros(2 * size, np.int32),
        node=np.full(2 * size, -1, np.int32),
        following=np.full(2 * size, -1, np.int32),
        former=np.full(2 * size, -1, np.int32),
        at_node=np.full((len(MODES), len(network.links.node)), -1, np.int32),
        labelled=np.zeros(size, np.int64),
        base=np.full(size, -1, np.int32),
        label=np.empty((size, network.depth), np.int32),
    )
