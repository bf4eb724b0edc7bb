"""Coverage: which households somebody reaches in time, and what hole a dispatch leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from routing.errors import NetworkError
from routing.hierarchy import INFINITE
from routing.network import MODES
from routing.reach import reach_from
from routing.travel import TravelTimes

__all__ = ["Coverage", "coverage"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Coverage:
    """Who is reached within a time.

    Attributes
    ----------
    minutes : float
    share : float
        Of all households; 0 where there are none.
    time_s : ndarray of float64, shape (p,)
        From the responder who is there first; infinite beyond the minutes.
    households : ndarray of float64, shape (p,)
    """

    minutes: float
    share: float
    time_s: Float
    households: Float

    def hole(self, after: "Coverage") -> Bool:
        """Places that are reached now and would not be in `after`; shape (p,)."""
        return np.isfinite(self.time_s) & ~np.isfinite(after.time_s)

    def lost(self, after: "Coverage") -> float:
        """Households in the hole."""
        return float(self.households[self.hole(after)].sum())


def coverage(
    travel: TravelTimes,
    responders: tuple[ArrayLike, ArrayLike, Sequence[str]],
    places: tuple[ArrayLike, ArrayLike, ArrayLike],
    minutes: float,
    *,
    without: Sequence[int] = (),
) -> Coverage:
    """Which households a responder reaches within some minutes, each by their own way of moving.

    Parameters
    ----------
    responders : tuple
        lon, lat (degrees, EPSG:4326) and modes, each of length r.
    places : tuple
        lon, lat (degrees, EPSG:4326) and households, each of length p.
    minutes : float
        Above 0, at most 180.
    without : sequence of int
        Responders that are away: sent to an incident, say.

    Raises
    ------
    NetworkError
        If the minutes are out of range or coordinates are no degrees.

    Notes
    -----
    One search a mode from all its responders at once.
    """
    if not 0.0 < minutes <= 180.0:
        raise NetworkError(f"coverage of {minutes} minutes: give more than 0, at most 180")
    now = travel.conditions
    lon, lat = np.asarray(responders[0], float), np.asarray(responders[1], float)
    modes = np.array(responders[2], dtype=object)
    there = np.ones(len(lon), bool)
    there[list(without)] = False
    households = np.asarray(places[2], float)
    best = np.full(len(households), INFINITE, np.int32)
    for mode in MODES:
        mine = there & (modes == mode)
        if mine.any() and len(best):
            starts = travel.snap(lon[mine], lat[mine], mode, now)
            ends = travel.snap(places[0], places[1], mode, now)
            reached = reach_from(travel, starts, mode, minutes * 60.0, now)
            best = np.minimum(best, reached.times_ms(ends))
    time_s = np.where(best < INFINITE, best / 1000.0, np.inf)
    total = households.sum()
    share = float(households[np.isfinite(time_s)].sum() / total) if total > 0 else 0.0
    return Coverage(minutes, share, time_s, households)
