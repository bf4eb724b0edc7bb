"""Several incidents at once: who goes where, so that the whole is best."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from routing.errors import NetworkError
from routing.network import MODES
from routing.travel import TravelTimes

__all__ = ["Pairing", "assign_batch"]

Places = Sequence[tuple[float, float]]


class Pairing(NamedTuple):
    """A responder for an incident, by their positions in the input."""

    incident: int
    responder: int
    time_s: float


def assign_batch(
    travel: TravelTimes,
    incidents: Places,
    responders: Places,
    modes: Sequence[str],
    *,
    priority: Sequence[int] | None = None,
) -> list[Pairing]:
    """Assign at most one responder to each incident, each responder at most once.

    Parameters
    ----------
    incidents, responders : sequence of (lon, lat), degrees, EPSG:4326
    modes : sequence of str
        Of each responder.
    priority : sequence of int, optional
        At least 1; 1 for all by default. An incident of priority 3 is worth three of 1.

    Returns
    -------
    list of Pairing
        By incident. First the sum of the served incidents' priorities is as great as can be,
        then the sum of travel times, each weighed by its incident's priority, as small.

    Raises
    ------
    NetworkError
        If the lengths differ, a priority is below 1 or coordinates are no degrees.

    Notes
    -----
    The assignment problem, solved exactly (Crouse 2016, in SciPy) in cubic time.
    """
    weight = np.ones(len(incidents)) if priority is None else np.asarray(priority, float)
    if len(weight) != len(incidents) or len(modes) != len(responders):
        raise NetworkError("give a priority for each incident and a mode for each responder")
    if len(weight) and weight.min() < 1:
        raise NetworkError("priorities begin at 1")
    if not len(incidents) or not len(responders):
        return []
    time_s = _times_s(travel, incidents, responders, modes)
    reachable = np.isfinite(time_s)
    if not reachable.any():
        return []
    # Serving one more incident is worth more than all travel together.
    worth = (time_s[reachable].max() + 1.0) * weight.max() * (min(time_s.shape) + 1)
    cost = np.where(reachable, (time_s - worth) * weight[:, None], 0.0)
    rows, columns = linear_sum_assignment(cost)
    return [
        Pairing(i, j, float(time_s[i, j]))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if reachable[i, j]
    ]


def _times_s(
    travel: TravelTimes, incidents: Places, responders: Places, modes: Sequence[str]
) -> NDArray[np.float64]:
    """Seconds from each responder to each incident; shape (incidents, responders)."""
    to, begin = np.array(incidents, float), np.array(responders, float)
    time_s = np.full((len(to), len(begin)), np.inf)
    for mode in MODES:
        mine = [j for j, own in enumerate(modes) if own == mode]
        if mine:
            part = travel.matrix(begin[mine, 0], begin[mine, 1], to[:, 0], to[:, 1], mode)
            time_s[:, mine] = part.T
    return time_s
