"""The roads of a county as they are now: network, closures, speeds, and who is where.

The thin shell around the pure engine. It asks the database for what changed and hands it to
the engine; who asks meanwhile gets an answer of the generation before.
"""

import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from data.roads import RoadState, road_state, road_version
from routing.blocking import effective_ms
from routing.fleet import Fleet
from routing.network import RoadNetwork
from routing.travel import TravelTimes

__all__ = ["LiveRoads"]


class LiveRoads:
    """Travel times and responders of a county.

    Parameters
    ----------
    path : Path
        File of the network; a new one takes the place of the old.
    county : str
    """

    def __init__(self, path: Path, county: str) -> None:
        self._path, self._county = path, county
        self._renewing = threading.Lock()
        self._held: tuple[float, TravelTimes, Fleet] | None = None
        self._state: RoadState | None = None

    def now(self, session: Session) -> tuple[TravelTimes, Fleet]:
        """Travel times and responders of now, with everything committed before the call.

        Raises
        ------
        NetworkError
            If there is no network, or its file is damaged.
        """
        now = datetime.now(UTC)
        if self._is_current(session, now):
            return self._held[1:]  # type: ignore[index]  # current means held
        with self._renewing:
            if not self._is_current(session, now):
                self._renew(session, now)
            return self._held[1:]  # type: ignore[index]  # same

    def _is_current(self, session: Session, now: datetime) -> bool:
        state = self._state
        if self._held is None or state is None or self._held[0] != self._changed():
            return False
        if state.holds_until is not None and now >= state.holds_until:
            return False
        return road_version(session, self._county) == state.version

    def _changed(self) -> float:
        return self._path.stat().st_mtime if self._path.exists() else 0.0

    def _renew(self, session: Session, now: datetime) -> None:
        held = self._held
        if held is None or held[0] != self._changed():
            changed = self._changed()
            travel = TravelTimes(RoadNetwork.load(self._path))
            held = (changed, travel, Fleet(travel))
        state = road_state(session, self._county, now)
        travel = held[1]
        ms = effective_ms(travel.network, state.closures, state.speeds)
        was = np.stack([times.arc for times in travel.conditions.times])
        arcs = np.flatnonzero((ms != was).any(axis=0))
        if len(arcs):
            travel.change(arcs, ms[:, arcs])
        self._held, self._state = held, state
