"""Tours: patrols and follow-up visits, by VROOM over our own travel times.

VROOM comes with the extra ``tours`` (pyvroom); everything else works without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from routing.errors import NetworkError
from routing.travel import TravelTimes

__all__ = ["Tour", "Visit", "plan_tours"]

Places = Sequence[tuple[float, float]]
# Longer than any tour: VROOM takes whole numbers, and goes no way that takes so long.
_NEVER_S = 10_000_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A place to go to (lon, lat; EPSG:4326), how long one stays, and how much it matters.

    Attributes
    ----------
    priority : int
        0 to 100; where not all can be visited, the greater ones are.
    """

    place: tuple[float, float]
    stay_s: int = 600
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Tour:
    """One person's visits in order, by their positions in the input, and when each begins."""

    visits: tuple[int, ...]
    begins_s: tuple[int, ...]
    length_s: int


def plan_tours(
    travel: TravelTimes,
    starts: Places,
    visits: Sequence[Visit],
    mode: str,
    *,
    shift_s: int = 4 * 3600,
    back: bool = True,
) -> tuple[list[Tour], list[int]]:
    """Share visits among people who all move alike, so that little time is spent on the road.

    Parameters
    ----------
    starts : sequence of (lon, lat), degrees, EPSG:4326
        Where each person begins.
    shift_s : int
        Longest time that a tour takes, stays and ways together.
    back : bool
        Whether everybody ends where they began.

    Returns
    -------
    tours : list of Tour
        One for each start; without visits for who has none.
    left : list of int
        Visits that nobody makes: out of reach, or no time left.

    Raises
    ------
    NetworkError
        If pyvroom is not installed, or the coordinates are no degrees.

    Notes
    -----
    A heuristic (vroom-project.org): good tours, not proven best ones.
    """
    try:
        import vroom  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NetworkError("tours need pyvroom: pip install 'onegrid[tours]'") from error
    if not starts:
        return [], list(range(len(visits)))
    lon, lat = np.array([*starts, *(visit.place for visit in visits)], float).T
    seconds = travel.matrix(lon, lat, lon, lat, mode)
    problem = vroom.Input()
    durations = np.ceil(np.minimum(seconds, _NEVER_S)).astype(np.uint32)
    problem.set_durations_matrix(profile=mode, matrix_input=durations)
    window = vroom.TimeWindow(0, shift_s)
    for i in range(len(starts)):
        end = i if back else None
        problem.add_vehicle(vroom.Vehicle(i, start=i, end=end, profile=mode, time_window=window))
    for j, visit in enumerate(visits):
        at = len(starts) + j
        problem.add_job(
            vroom.Job(j, location=at, default_service=visit.stay_s, priority=visit.priority)
        )
    found = problem.solve(exploration_level=5, nb_threads=1)
    steps = found.routes
    tours = []
    for i in range(len(starts)):
        mine = steps[steps["vehicle_id"] == i]
        jobs = mine[mine["type"] == "job"]
        length = int(mine["arrival"].iloc[-1] + mine["service"].iloc[-1]) if len(mine) else 0
        begins = jobs["arrival"] + jobs["waiting_time"]
        tours.append(Tour(tuple(map(int, jobs["id"])), tuple(map(int, begins)), length))
    made = {visit for tour in tours for visit in tour.visits}
    return tours, [j for j in range(len(visits)) if j not in made]
