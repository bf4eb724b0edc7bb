from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import NotFoundError, StateError
from data.incidents import incidents_waiting
from data.models import Dispatch, Incident
from data.positions import purge_positions
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from routing.dispatch import recommend
from routing.incidents.course import Doer
from routing.incidents.sending import send
from routing.lifecycle.errors import TransitionRefusedError
from routing.live import LiveRoads
from tests.conftest import Furnished

PLACE = (122.31, 43.575)
DESK = Doer("test", "dispatcher", Scope.whole(COUNTY))


def waiting(session: Session) -> list[Incident]:
    """Incidents that a gridworker may be sent to."""
    return incidents_waiting(session, Scope.of_grants(COUNTY, [(None, "E01")]))


@pytest.fixture
def roads(furnished: Furnished) -> LiveRoads:
    return LiveRoads(furnished.home / "networks" / f"{COUNTY}.arrow", COUNTY)


def test_everyone_of_the_role_is_a_candidate_or_left_out_with_a_reason(
    city: Database, roads: LiveRoads
) -> None:
    with city.session() as session:
        advice = recommend(session, roads, COUNTY, PLACE, "E01", k=100)
        workers = session.execute(
            text("SELECT count(*) FROM person WHERE role = 'gridworker'")
        ).scalar_one()
    assert len(advice.candidates) + len(advice.left_out) == workers
    times = [candidate.time_s for candidate in advice.candidates]
    assert times == sorted(times)
    assert all(left.reason for left in advice.left_out)


def test_off_duty_stale_and_busy_are_told_apart(city: Database, roads: LiveRoads) -> None:
    with city.session() as session:
        first, second, third, *_ = (
            c.person_id for c in recommend(session, roads, COUNTY, PLACE, "E01").candidates
        )
        session.execute(text("DELETE FROM position WHERE person_id = :p"), {"p": first})
        session.execute(
            text("UPDATE position SET at = now() - interval '1 hour' WHERE person_id = :p"),
            {"p": second},
        )
        incident = waiting(session)[0]
        send(session, DESK, incident.id, third)
        advice = recommend(session, roads, COUNTY, PLACE, "E01")
        reasons = {left.person_id: left.reason for left in advice.left_out}
    assert "off duty" in reasons[first]
    assert "stale" in reasons[second]
    assert "busy" in reasons[third]


def test_stale_positions_are_deleted_and_none_is_kept_beside(city: Database) -> None:
    with city.session() as session:
        session.execute(text("UPDATE position SET at = now() - interval '16 minutes'"))
        assert purge_positions(session) > 0
        assert session.execute(text("SELECT count(*) FROM position")).scalar_one() == 0


def test_an_incident_is_dispatched_once_whoever_is_quicker(city: Database) -> None:
    with city.session() as session:
        incident = waiting(session)[0].id
        people = session.scalars(
            text("SELECT id FROM person WHERE role = 'gridworker' ORDER BY id LIMIT 8")
        ).all()

    def attempt(person: int) -> bool:
        try:
            with city.session() as session:
                send(session, DESK, incident, person)
        except (StateError, TransitionRefusedError):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, people))
    assert sum(won) == 1
    with city.session() as session:
        assert session.query(Dispatch).count() == 1
        assert session.get(Incident, incident).state == "dispatched"


def test_fifty_dispatchers_book_nobody_twice(city: Database) -> None:
    """Each tries every person for an incident of their own; there are fewer people than cases."""
    with city.session() as session:
        cases = session.scalars(
            text("SELECT id FROM incident WHERE class_code LIKE 'E%' ORDER BY id DESC LIMIT 50")
        ).all()
        people = session.scalars(
            text("SELECT id FROM person WHERE role = 'gridworker' ORDER BY id LIMIT 12")
        ).all()

    def attempt(number: int) -> int:
        for turn in range(len(people)):
            try:
                with city.session() as session:
                    send(session, DESK, cases[number], people[(number + turn) % len(people)])
            except (StateError, TransitionRefusedError):
                continue
            return 1
        return 0

    with ThreadPoolExecutor(50) as pool:
        won = sum(pool.map(attempt, range(len(cases))))
    assert won == len(people)
    with city.session() as session:
        booked = session.scalars(text("SELECT person_id FROM dispatch WHERE state = 'open'")).all()
        sent = session.scalar(text("SELECT count(*) FROM incident WHERE state = 'dispatched'"))
    assert sorted(booked) == sorted(people)
    assert sent == len(people)


def test_a_person_goes_to_one_incident_at_a_time(city: Database) -> None:
    with city.session() as session:
        one, two, *_ = waiting(session)
        person = session.execute(text("SELECT min(id) FROM person")).scalar_one()
        send(session, DESK, one.id, person)
    with pytest.raises(StateError, match="already on the way"), city.session() as session:
        send(session, DESK, two.id, person)
    with city.session() as session:
        assert session.get(Incident, two.id).state == "accepted"


@pytest.mark.parametrize(("incident", "person"), [(10**9, 1), (None, 10**9)])
def test_what_is_not_held_is_named(city: Database, incident: int | None, person: int) -> None:
    with city.session() as session:
        number = incident or waiting(session)[0].id
        with pytest.raises(NotFoundError, match="1000000000"):
            send(session, DESK, number, person)


def test_an_unknown_class_is_named(city: Database, roads: LiveRoads) -> None:
    with city.session() as session, pytest.raises(NotFoundError, match="X99"):
        recommend(session, roads, COUNTY, PLACE, "X99")


def test_why_explains_everybody_on_duty(city: Database, roads: LiveRoads) -> None:
    with city.session() as session:
        advice = recommend(session, roads, COUNTY, PLACE, "E01", k=3, why=True)
        on_duty = session.execute(
            text("SELECT count(*) FROM position JOIN person ON person.id = person_id")
        ).scalar_one()
    explained = {one.person_id for one in (*advice.candidates, *advice.left_out)}
    assert len(explained) == len(advice.candidates) + len(advice.left_out)
    assert len(explained) >= on_duty
    reasons = {one.reason for one in advice.left_out}
    assert {"has another role", "slower by road"} <= reasons
    slower = [one.time_s for one in advice.left_out if one.reason == "slower by road"]
    assert min(slower) >= advice.candidates[-1].time_s


def test_only_those_of_the_town_go_where_that_is_asked(city: Database, roads: LiveRoads) -> None:
    with city.session() as session:
        session.execute(
            text("UPDATE responsibility SET valid = 'empty' WHERE person_id = :p"),
            {
                "p": (
                    gone := recommend(session, roads, COUNTY, PLACE, "E01").candidates[0].person_id
                )
            },
        )
        advice = recommend(session, roads, COUNTY, PLACE, "E01", own_town=True)
        reasons = {one.person_id: one.reason for one in advice.left_out}
    assert reasons[gone] == "responsible for nothing in this town"
    assert advice.candidates


def test_an_incident_far_from_any_road_leaves_everybody_out(
    city: Database, roads: LiveRoads
) -> None:
    with city.session() as session:
        advice = recommend(session, roads, COUNTY, (123.0, 44.0), "E01")
    assert advice.candidates == ()
    assert "the incident is off the road network" in {one.reason for one in advice.left_out}
