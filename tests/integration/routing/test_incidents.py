"""Incidents through their flows on a real PostGIS: what each step brings about, or may not."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import NotFoundError, StaleError, StateError
from data.models import Deadline, Incident, Person
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from gis.errors import CrsError, GeometryError, OneGridError
from grids.directory import load_directory
from grids.who import Directory
from routing.errors import ReportError
from routing.incidents.course import Doer, options_of, transit
from routing.incidents.intake import Report, report_incident
from routing.incidents.rules import load_rules
from routing.incidents.timers import climb, lapse
from routing.lifecycle.errors import TransitionRefusedError
from routing.lifecycle.flow import ENDED

WHOLE = Scope.whole(COUNTY)
DESK = Doer("desk", "dispatcher", WHOLE)
CENTRE = Doer("centre", "centre", WHOLE)
HERE = Report("console", "E01", 122.31, 43.575, "EPSG:4326", "井盖缺失")
GIVEN = {
    "reason": "原因",
    "result": "已处理",
    "satisfaction": "satisfied",
    "amount": 3,
}


@pytest.fixture
def session(city: Database) -> Iterator[Session]:
    with city.session() as made:
        yield made


@pytest.fixture
def directory(session: Session) -> Directory:
    return load_directory(session, COUNTY)


def worker(session: Session, role: str = "gridworker", nth: int = 0) -> tuple[Person, Doer]:
    query = text("SELECT id FROM person WHERE role = :role ORDER BY id OFFSET :nth LIMIT 1")
    person = session.get_one(Person, session.scalar(query, {"role": role, "nth": nth}))
    return person, Doer(f"worker-{person.id}", "worker", WHOLE, person_id=person.id)


def taken(session: Session, directory: Directory, **more: object) -> Incident:
    return report_incident(session, COUNTY, replace(HERE, **more), directory, actor="desk")[0]


def running(session: Session, incident: Incident) -> dict[str, Deadline]:
    query = text("SELECT id FROM deadline WHERE incident_id = :i AND ended_at IS NULL")
    ids = session.scalars(query, {"i": incident.id}).all()
    return {one.kind: one for one in (session.get_one(Deadline, n) for n in ids)}


def course(session: Session, incident: Incident) -> list[tuple[str, str | None]]:
    query = text("SELECT kind, state_after FROM incident_event WHERE incident_id = :i ORDER BY id")
    return [tuple(row) for row in session.execute(query, {"i": incident.id})]


def handled(session: Session, incident: Incident) -> Doer:
    """Bring an incident into a free worker's hands."""
    free = text(
        "SELECT id FROM person WHERE role = 'gridworker' AND id NOT IN "
        "(SELECT person_id FROM dispatch WHERE state = 'open') ORDER BY id LIMIT 1"
    )
    doer = Doer("worker", "worker", WHOLE, person_id=session.scalar(free))
    transit(session, DESK, incident.id, "triage")
    transit(session, DESK, incident.id, "dispatch", {"person": doer.person_id})
    transit(session, doer, incident.id, "take")
    return doer


@pytest.mark.parametrize("flow", ["tongliao", "shigu", "urban"])
def test_an_incident_goes_through_every_preset_to_its_end(
    session: Session, directory: Directory, flow: str
) -> None:
    choice = "INSERT INTO flow_choice (county, class_scope, flow) VALUES (:c, '*', :f)"
    session.execute(text(choice), {"c": COUNTY, "f": flow})
    incident = taken(session, directory, phone="138", name="张三")
    assert set(running(session, incident)) == {"total", "dispatch"}
    doer = handled(session, incident)
    assert set(running(session, incident)) == {"total"}
    transit(session, doer, incident.id, "report", {"result": "已装好"})
    assert set(running(session, incident)) == {"total", "verify"}
    rules = load_rules(session, COUNTY)
    actions = {one.action for one in rules.flows[flow].transitions}
    for action in ("verify", "follow_up"):
        if action in actions:
            transit(session, DESK, incident.id, action, GIVEN)
    transit(session, DESK, incident.id, "close")
    assert incident.state == "closed"
    assert running(session, incident) == {}
    assert incident.flow == flow
    assert incident.version == len(course(session, incident))
    held = text("SELECT count(*) FROM reporter WHERE incident_id = :i")
    assert session.scalar(held, {"i": incident.id}) == 0, "whom to call back is forgotten"
    states = [state for _, state in course(session, incident)]
    assert [states[0], states[-1]] == ["accepted", "closed"]
    assert options_of(session, rules, DESK, incident) == ()


def test_an_order_is_declined_recalled_and_lapses(session: Session, directory: Directory) -> None:
    incident = taken(session, directory)
    person, doer = worker(session)
    transit(session, DESK, incident.id, "triage")
    orders = []
    for action, by, given in (
        ("decline", doer, {"reason": "不在现场"}),
        ("recall", DESK, {"reason": "改派"}),
    ):
        transit(session, DESK, incident.id, "dispatch", {"person": person.id})
        transit(session, by, incident.id, action, given)
        assert incident.person_id is None
        if incident.state == "returned":
            transit(session, DESK, incident.id, "triage")
    transit(session, DESK, incident.id, "dispatch", {"person": person.id})
    due = running(session, incident)["take"].due_at
    assert lapse(session, COUNTY, at=due - timedelta(seconds=1)) == 0
    assert lapse(session, COUNTY, at=due) == 1
    assert incident.state == "returned"
    query = text("SELECT state FROM dispatch WHERE incident_id = :i ORDER BY id")
    orders = session.scalars(query, {"i": incident.id}).all()
    assert orders == ["declined", "cancelled", "lapsed"]
    with pytest.raises(NotFoundError):
        transit(session, doer, incident.id, "take")


def test_one_bad_case_does_not_keep_the_others(
    session: Session, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [taken(session, directory) for _ in range(3)]
    for nth, case in enumerate(cases):
        person, _ = worker(session, nth=nth)
        transit(session, DESK, case.id, "triage")
        transit(session, DESK, case.id, "dispatch", {"person": person.id})
    due = max(running(session, case)["take"].due_at for case in cases)

    def fails_for_one(session: Session, doer: Doer, number: int, *rest: object, **more: object):
        step = transit(session, doer, number, *rest, **more)
        if number == cases[0].id:
            raise ValueError("half done")
        return step

    monkeypatch.setattr("routing.incidents.timers.transit", fails_for_one)
    assert lapse(session, COUNTY, at=due) == 2
    for case in cases:
        session.refresh(case)
    assert [case.state for case in cases] == ["dispatched", "returned", "returned"]
    monkeypatch.undo()
    assert lapse(session, COUNTY, at=due) == 1

    def no_rungs(*_: object) -> None:
        raise LookupError("no calendar so far")

    monkeypatch.setattr("routing.incidents.timers.rungs_of", no_rungs)
    assert climb(session, COUNTY, at=due + timedelta(days=9)) == 0
    monkeypatch.undo()
    assert climb(session, COUNTY, at=due + timedelta(days=9)) > 0


def test_departments_are_called_and_must_report_before_the_work_is_done(
    session: Session, directory: Directory
) -> None:
    incident = taken(session, directory)
    doer = handled(session, incident)
    units = session.scalars(text("SELECT id FROM unit ORDER BY id LIMIT 2")).all()
    transit(session, DESK, incident.id, "whistle", {"units": units, "reason": "联合执法"})
    assert "answer" in running(session, incident)
    with pytest.raises(StateError, match="has been called"):
        transit(session, DESK, incident.id, "whistle", {"units": units[:1], "reason": "再来"})
    with pytest.raises(TransitionRefusedError, match="whistles_answered"):
        transit(session, doer, incident.id, "report", {"result": "x"})
    for unit in units:
        transit(session, CENTRE, incident.id, "answer", {"unit": unit})
    with pytest.raises(TransitionRefusedError, match="whistled"):
        transit(session, CENTRE, incident.id, "answer", {"unit": units[0]})
    assert "answer" not in running(session, incident)
    transit(session, doer, incident.id, "report", {"result": "x"})
    told = text("SELECT count(*) FROM outbox WHERE incident_id = :i AND address LIKE 'unit:%'")
    assert session.scalar(told, {"i": incident.id}) == 2


def test_an_extension_moves_what_is_due_and_a_pause_stops_the_clock(
    session: Session, directory: Directory
) -> None:
    incident = taken(session, directory)
    doer = handled(session, incident)
    due = running(session, incident)["total"].due_at
    given = {"reason": "等配件", "amount": 2, "unit": "days"}
    transit(session, doer, incident.id, "request_extension", given)
    assert running(session, incident)["total"].due_at == due
    transit(session, DESK, incident.id, "grant_extension")
    assert incident.state == "handled"
    later = running(session, incident)["total"].due_at
    assert later >= due + timedelta(days=2)
    now = datetime.now(UTC)
    transit(session, CENTRE, incident.id, "suspend", {"reason": "等法院"}, at=now)
    assert climb(session, COUNTY, at=later + timedelta(days=90)) == 0
    transit(session, CENTRE, incident.id, "resume", at=now + timedelta(days=5))
    assert running(session, incident)["total"].due_at == later + timedelta(days=5)
    assert (incident.state, incident.person_id) == ("handled", doer.person_id)
    with pytest.raises(TransitionRefusedError, match="1 to 60"):
        transit(session, doer, incident.id, "request_extension", {"reason": "x", "amount": 61})


def test_escalation_climbs_to_the_town_and_to_the_county(
    session: Session, directory: Directory
) -> None:
    incident = taken(session, directory)
    handled(session, incident)
    for level in ("town", "county"):
        transit(session, DESK, incident.id, "escalate", {"reason": "疑难复杂"})
        assert (incident.level, incident.state, incident.person_id) == (level, "triaged", None)
        assert incident.unit_id is not None
    with pytest.raises(TransitionRefusedError, match="below_county"):
        transit(session, DESK, incident.id, "escalate", {"reason": "x"})


def test_the_ladder_is_climbed_once(session: Session, directory: Directory) -> None:
    incident = taken(session, directory)
    one = running(session, incident)["dispatch"]
    assert climb(session, COUNTY, at=one.warn_at - timedelta(seconds=1)) == 0
    for at, kind in ((one.warn_at, "remind"), (one.due_at, "urge")):
        assert climb(session, COUNTY, at=at) >= 1
        assert climb(session, COUNTY, at=at) == 0
        assert course(session, incident)[-1] == (kind, None)
    climb(session, COUNTY, at=one.due_at + timedelta(days=40))
    assert running(session, incident)["dispatch"].next_at is None
    counts = Counter(kind for kind, _ in course(session, incident))
    assert counts["supervise"] == 0, "who was forgotten for long is not reminded of each step"


def test_a_class_off_the_duty_list_goes_to_no_gridworker(
    session: Session, directory: Directory
) -> None:
    incident = taken(session, directory, class_code="S02")
    person, _ = worker(session)
    officer, _ = worker(session, "police")
    transit(session, DESK, incident.id, "triage")
    with pytest.raises(TransitionRefusedError, match="on_duty_list"):
        transit(session, DESK, incident.id, "dispatch", {"person": person.id})
    transit(session, DESK, incident.id, "dispatch", {"person": officer.id})


def test_who_is_elsewhere_or_late_changes_nothing(session: Session, directory: Directory) -> None:
    incident = taken(session, directory)
    elsewhere = replace(DESK, scope=Scope.of(COUNTY, ["990100001002"]))
    other_class = replace(DESK, scope=Scope.of_grants(COUNTY, [(None, "D01")]))
    inside = session.scalar(
        text("SELECT community FROM grid WHERE id = :g"), {"g": incident.grid_id}
    )
    if inside == "990100001002":
        elsewhere = replace(DESK, scope=Scope.of(COUNTY, ["990100001001"]))
    _, stranger = worker(session, nth=1)
    for doer in (elsewhere, other_class, stranger):
        with pytest.raises(NotFoundError):
            transit(session, doer, incident.id, "triage")
    transit(session, DESK, incident.id, "triage", version=1)
    with pytest.raises(StaleError):
        transit(session, DESK, incident.id, "void", {"reason": "x"}, version=1)
    with pytest.raises(TransitionRefusedError, match="needs a reason"):
        transit(session, DESK, incident.id, "void", {"reason": " "})
    assert (incident.state, incident.version) == ("triaged", 2)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"x": float("nan")}, GeometryError),
        ({"x": 43.575, "y": 122.31}, GeometryError),
        ({"crs": ""}, CrsError),
        ({"crs": "EPSG:999999"}, CrsError),
        ({"class_code": "nothing"}, ReportError),
        ({"class_code": "\x00"}, ReportError),
        ({"description": "x" * 4001}, ReportError),
        ({"description": "a\x00b"}, ReportError),
        ({"severity": "huge"}, ReportError),
        ({"reported_at": datetime.now(UTC) + timedelta(hours=1)}, ReportError),
        ({"reported_at": datetime(2026, 1, 1)}, ReportError),  # noqa: DTZ001 - what is refused
    ],
)
def test_a_report_that_cannot_be_taken_is_refused(
    session: Session, directory: Directory, more: dict, error: type[OneGridError]
) -> None:
    count = text("SELECT count(*) FROM incident")
    before = session.scalar(count)
    with pytest.raises(error):
        taken(session, directory, **more)
    assert session.scalar(count) == before


def test_a_report_that_is_sent_again_is_one_incident(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)

    def send(_: int) -> tuple[int, bool]:
        with city.session() as session:
            asked = replace(HERE, receipt_key="sms-1")
            incident, fresh = report_incident(session, COUNTY, asked, directory, actor="sms")
            return incident.id, fresh

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(send, range(48)))
    assert len({number for number, _ in told}) == 1
    assert sum(fresh for _, fresh in told) == 1
    with city.session() as session:
        events = "SELECT count(*) FROM incident_event WHERE incident_id = :i"
        notices = "SELECT count(*) FROM outbox WHERE incident_id = :i"
        for query in (events, notices):
            assert session.scalar(text(query), {"i": told[0][0]}) == 1


def test_fifty_dispatchers_at_once_never_book_anybody_twice(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        person, _ = worker(session)
        numbers = [taken(session, directory).id for _ in range(50)]
        for number in numbers:
            transit(session, DESK, number, "triage")

    def send(number: int) -> bool:
        try:
            with city.session() as session:
                transit(session, DESK, number, "dispatch", {"person": person.id})
        except StateError:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(send, numbers)) == 1
    with city.session() as session:
        query = text("SELECT count(*) FROM incident WHERE state = 'dispatched' AND id = ANY (:n)")
        assert session.scalar(query, {"n": numbers}) == 1


def assert_sound(session: Session, incident: Incident) -> None:
    """What must hold of an incident whatever was done to it."""
    states = [state for _, state in course(session, incident) if state is not None]
    assert states[-1] == incident.state
    assert incident.version == len(course(session, incident))
    query = text("SELECT count(*) FROM dispatch WHERE incident_id = :i AND state = 'open'")
    orders = session.scalar(query, {"i": incident.id})
    assert orders <= (incident.state in {"dispatched", "handled", "extension", "rework"})
    kinds = set(running(session, incident))
    if incident.state in ENDED:
        assert kinds == set()
    else:
        assert "total" in kinds
        assert ("take" in kinds) == (incident.state == "dispatched")
        assert ("verify" in kinds) == (incident.state == "reported")
    paused = [one.kind for one in running(session, incident).values() if one.paused_at]
    assert bool(paused) == (incident.state == "suspended")


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_steps_leaves_a_sound_incident(
    session: Session, directory: Directory, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's own order
    choice = "INSERT INTO flow_choice (county, class_scope, flow) VALUES (:c, '*', :f)"
    flow = rng.choice(["tongliao", "shigu", "urban"])
    session.execute(text(choice), {"c": COUNTY, "f": flow})
    rules = load_rules(session, COUNTY)
    units = session.scalars(text("SELECT id FROM unit ORDER BY id LIMIT 3")).all()
    people = session.scalars(text("SELECT id FROM person WHERE role = 'gridworker' LIMIT 5")).all()
    doers = [DESK, CENTRE, *(Doer(f"w{n}", "worker", WHOLE, person_id=n) for n in people)]
    actions = sorted({one.action for one in rules.flows[flow].transitions})
    done, at = 0, datetime.now(UTC)
    incidents = [taken(session, directory) for _ in range(4)]
    for _ in range(250):
        chosen, doer = rng.randrange(len(incidents)), rng.choice(doers)
        incident = incidents[chosen]
        if incident.person_id and rng.random() < 0.4:
            doer = Doer(f"w{incident.person_id}", "worker", WHOLE, person_id=incident.person_id)
        open_to = [one.action for one in options_of(session, rules, doer, incident)]
        action = rng.choice(open_to if open_to and rng.random() < 0.8 else actions)
        given = dict(GIVEN) if rng.random() < 0.9 else {}
        if action == "void" and rng.random() < 0.8:
            continue
        if action == "dispatch":
            given["person"] = rng.choice(people)
        given |= {"units": [rng.choice(units)]} if action == "whistle" else {}
        given |= {"unit": rng.choice(units)} if action == "answer" else {}
        at += timedelta(minutes=rng.randrange(300))
        before = (incident.state, incident.version)
        try:
            with session.begin_nested():
                transit(session, doer, incident.id, action, given, at=at)
            done += 1
            assert action in open_to
        except OneGridError:
            session.refresh(incident)
            assert (incident.state, incident.version) == before
        assert_sound(session, incident)
        if incident.state in ENDED:
            incidents[chosen] = taken(session, directory)
    assert done > 30
