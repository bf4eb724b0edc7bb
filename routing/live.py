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
from routing.costs import measure_costs
from routing.fleet import Fleet
from routing.network import RoadNetwork
from routing.responders import Responders
from routing.travel import TravelTimes

__all__ = ["LiveRoads", "Roads"]


class Roads:
    """One network with its responders; a role has a fleet of its own.

    Parameters
    ----------
    network : RoadNetwork
    """

    def __init__(self, network: RoadNetwork) -> None:
        self.travel = TravelTimes(network)
        self._costs = measure_costs(network, self.travel.conditions)
        self._responders: dict[str, Responders] = {}
        self._adding = threading.Lock()

    def responders(self, role: str) -> Responders:
        """The responders of a role."""
        with self._adding:
            if role not in self._responders:
                self._responders[role] = Responders(Fleet(self.travel, costs=self._costs))
            return self._responders[role]


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
        self._held: tuple[float, RoadState, Roads] | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether nobody waits for the network to be loaded."""
        return self._held is not None

    def now(self, session: Session) -> Roads:
        """The roads of now, with everything committed before the call.

        Raises
        ------
        NetworkError
            If there is no network, or its file is damaged.
        """
        now = datetime.now(UTC)
        held = self._current(session, now)
        if held is None:
            with self._renewing:
                held = self._current(session, now) or self._renewed(session, now)
        return held

    def _current(self, session: Session, now: datetime) -> Roads | None:
        """What is held, unless the file, the database or the clock has gone on."""
        if self._held is None or self._held[0] != self._changed():
            return None
        _, state, roads = self._held
        if state.holds_until is not None and now >= state.holds_until:
            return None
        return roads if road_version(session, self._county) == state.version else None

    def _changed(self) -> float:
        return self._path.stat().st_mtime if self._path.exists() else 0.0

    def _renewed(self, session: Session, now: datetime) -> Roads:
        changed = self._changed()
        if self._held is not None and self._held[0] == changed:
            roads = self._held[2]
        else:
            roads = Roads(RoadNetwork.load(self._path))
        state, travel = road_state(session, self._county, now), roads.travel
        ms = effective_ms(travel.network, state.closures, state.speeds)
        was = np.stack([times.arc for times in travel.conditions.times])
        arcs = np.flatnonzero((ms != was).any(axis=0))
        if len(arcs):
            travel.change(arcs, ms[:, arcs])
        self._held = changed, state, roads
        return roads
