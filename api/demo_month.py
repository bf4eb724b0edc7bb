"""A month of work in the demonstration city, so that ledger, lights and courses have something."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.demo import DEMO_LOGIN, DEMO_WORKER
from data.scope import Scope
from data.settings import DEMO_COUNTY
from grids.directory import load_directory
from grids.who import Directory
from routing.incidents.course import Doer, transit
from routing.incidents.intake import Report, report_incident

__all__ = ["play_month"]

# Most lie some time back; the last hours have some that are still under way.
_CASES, _OF_TODAY, _DAYS = 60, 14, 28.0
_WHOLE = Scope.whole(DEMO_COUNTY)
_DESK = Doer(DEMO_LOGIN, "dispatcher", _WHOLE)
_CHANNELS = ("console", "phone", "public", "video", "worker")
# Class, and what is said of it; each is on the list of what gridworkers do.
_SAID = (
    ("E01", "垃圾堆放在楼道口"),
    ("E02", "绿化带被占用"),
    ("E03", "工地夜间扬尘"),
    ("E05", "占道摆摊影响通行"),
    ("P01", "路面积水, 井盖松动"),
    ("P02", "公交站牌破损"),
)
_PLACES = text(
    "SELECT ST_X(geom), ST_Y(geom) FROM address WHERE county = :county "
    "ORDER BY md5(id::text) LIMIT :count"
)
_SEEN = text(
    "UPDATE outbox SET state = 'seen', seen_at = now() FROM incident WHERE outbox.channel = 'app' "
    "AND incident.id = incident_id AND incident.county = :county AND reported_at < :since"
)
_UNITS = text("SELECT id FROM unit WHERE county = :county ORDER BY id")
_GRIDWORKERS = text(
    "SELECT person_id FROM assignment JOIN person ON person.id = person_id "
    "WHERE incident_id = :incident AND person.role = 'gridworker' AND person_id NOT IN "
    "(SELECT person_id FROM dispatch WHERE state = 'open') ORDER BY person_id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class _Step:
    """An action, by whom, with what, and how many minutes after the one before."""

    action: str
    by_worker: bool
    given: dict[str, Any]
    after_min: float


def play_month(session: Session, *, seed: int, end: datetime) -> int:
    """Take reports of the last four weeks and carry them on; how many. `end` is now."""
    rng = np.random.default_rng([seed, 3])
    directory = load_directory(session, DEMO_COUNTY)
    key = {"county": DEMO_COUNTY, "count": _CASES}
    units = session.scalars(_UNITS, key).all()
    places = [tuple(row) for row in session.execute(_PLACES, key)]
    longest = np.where(np.arange(len(places)) < _OF_TODAY, 0.2, _DAYS)
    begins = np.sort(rng.uniform(0.001, longest))[::-1]
    for place, days in zip(places, begins.tolist(), strict=True):
        begin, unit = end - timedelta(days=days), units[int(rng.integers(len(units)))]
        _play(session, directory, rng, place, unit, begin, end)
    session.execute(_SEEN, {"county": DEMO_COUNTY, "since": end - timedelta(hours=6)})
    return len(places)


def _play(
    session: Session,
    directory: Directory,
    rng: np.random.Generator,
    place: tuple[float, float],
    unit: int,
    begin: datetime,
    end: datetime,
) -> None:
    code, said = _SAID[int(rng.integers(len(_SAID)))]
    channel = _CHANNELS[int(rng.integers(len(_CHANNELS)))]
    lon, lat = place
    report = Report(channel, code, lon, lat, "EPSG:4326", description=said, reported_at=begin)
    made, _ = report_incident(session, DEMO_COUNTY, report, directory, actor=DEMO_LOGIN, at=begin)
    person = session.scalar(_GRIDWORKERS, {"incident": made.id})
    if person is None:  # all who answer for the place are on their way: it waits
        return
    worker = Doer(DEMO_WORKER, "worker", _WHOLE, person_id=person)
    at = begin
    for step in _steps(rng, person, unit):
        at += timedelta(minutes=step.after_min)
        if at >= end:
            return
        doer = worker if step.by_worker else _DESK
        transit(session, doer, made.id, step.action, step.given, at=at)


def _steps(rng: np.random.Generator, person: int, unit: int) -> Iterator[_Step]:
    """A course of the first flow: most go straight, some are done twice, a few very slowly."""
    minutes = rng.gamma(2.0, 1.0, 7) * (3, 5, 4, 150, 90, 200, 60)
    if rng.random() < 1 / 6:
        minutes[3] *= 30
    yield _Step("triage", False, {}, minutes[0])
    yield _Step("dispatch", False, {"person": person}, minutes[1])
    yield _Step("take", True, {}, minutes[2])
    if rng.random() < 1 / 5:
        called = {"units": [unit], "reason": "需要部门到场协助"}
        yield _Step("whistle", False, called, minutes[2])
        yield _Step("answer", False, {"unit": unit}, minutes[1])
    yield _Step("report", True, {"result": "已现场处置完毕"}, minutes[3])
    if rng.random() < 1 / 8:
        yield _Step("rework", False, {"reason": "照片上看不清, 请再次清理"}, minutes[4])
        yield _Step("report", True, {"result": "已再次清理"}, minutes[5])
    said = str(rng.choice(["satisfied", "satisfied", "content", "dissatisfied", "not_reached"]))
    yield _Step("follow_up", False, {"satisfaction": said}, minutes[4])
    yield _Step("close", False, {}, minutes[6])
