"""What a dispatcher weighs besides who is first: the hole that each leaves, and many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from geoalchemy2.shape import to_shape
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Incident
from data.scope import Scope
from routing.assignment import assign_batch
from routing.coverage import coverage
from routing.dispatch import role_of
from routing.eligibility import barred
from routing.live import LiveRoads
from routing.network import MODES

__all__ = ["Hole", "Proposal", "holes", "propose"]

_PLACES = text(
    "SELECT ST_X(p), ST_Y(p), households FROM (SELECT ST_PointOnSurface(geom) AS p, households "
    "FROM grid WHERE county = :county AND valid @> now() AND households > 0) AS middle"
)
_HERE = text(
    "SELECT person_id FROM position WHERE county = :county AND person_id = ANY (:people) "
    "AND EXISTS (SELECT FROM grid WHERE grid.county = :county AND grid.valid @> now() "
    "AND community ^@ ANY (:prefixes) AND ST_Covers(grid.geom, position.geom))"
)
_WEIGHT = {"general": 1, "difficult": 2, "major": 3}


@dataclass(frozen=True, slots=True)
class Hole:
    """What sending somebody takes away: households that nobody reaches in time any more.

    Attributes
    ----------
    share : float
        Of all households, reached without them.
    """

    person_id: int
    households: float
    share: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who would go to which incident, and how long they take."""

    incident: int
    person_id: int
    time_s: float


def holes(
    session: Session,
    roads: LiveRoads,
    scope: Scope,
    role: str,
    people: Sequence[int],
    *,
    minutes: float = 10.0,
) -> list[Hole]:
    """The hole that each of some people would leave, if they alone were sent.

    A grid is reached where a place inside it is reached within the minutes by a responder of the
    role who is free. Of people who are outside the area nothing is told.

    Raises
    ------
    NetworkError
        If there is no road network, or the minutes are out of range.
    """
    county = scope.county
    if not scope.is_whole:
        asked = {"people": list(people), **scope.parameters}
        here = set(session.scalars(_HERE, asked))
        people = [one for one in people if one in here]
    held = roads.now(session)
    now = held.responders(role).follow(session, county, role)
    free = ~np.isin(now.person, barred(session, county, None))
    grids = session.execute(_PLACES, {"county": county}).all()
    if not grids:
        return []
    x, y, households = np.array(grids, float).T
    modes = [MODES[mode] for mode in now.mode[free].tolist()]
    responders = now.lon[free], now.lat[free], modes
    place = x, y, households
    before = coverage(held.travel, responders, place, minutes)
    person = now.person[free]
    made = []
    for one in people:
        gone = np.flatnonzero(person == one).tolist()
        after = coverage(held.travel, responders, place, minutes, without=gone)
        made.append(Hole(one, before.lost(after), after.share))
    return made


def propose(
    session: Session, roads: LiveRoads, county: str, incidents: Sequence[Incident]
) -> list[Proposal]:
    """Who should go where, so that most are served, the graver ones first, in the least time.

    Nothing is sent: whoever dispatches looks at it first.

    Raises
    ------
    NetworkError
        If there is no road network.
    """
    by_role: dict[str, list[Incident]] = {}
    for one in incidents:
        by_role.setdefault(role_of(session, one.class_code), []).append(one)
    held = roads.now(session)
    out = barred(session, county, None)
    made: list[Proposal] = []
    for role, asked in sorted(by_role.items()):
        now = held.responders(role).follow(session, county, role)
        free = np.flatnonzero(~np.isin(now.person, out))
        points = [to_shape(one.geom) for one in asked]
        pairs = assign_batch(
            held.travel,
            [(point.x, point.y) for point in points],
            list(zip(now.lon[free].tolist(), now.lat[free].tolist(), strict=True)),
            [MODES[mode] for mode in now.mode[free].tolist()],
            priority=[_WEIGHT[one.severity] for one in asked],
        )
        made += [
            Proposal(asked[pair.incident].id, int(now.person[free[pair.responder]]), pair.time_s)
            for pair in pairs
        ]
    return made
