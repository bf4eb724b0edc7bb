from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from data.database import Database
from data.errors import NotFoundError, StateError
from data.models import Dispatch, Incident
from data.positions import purge_positions
from data.settings import DEMO_COUNTY as COUNTY
from routing.dispatch import incidents_waiting, recommend, send
from routing.network import RoadNetwork
from tests.conftest import Furnished

PLACE = (122.31, 43.575)


@pytest.fixture
def network(furnished: Furnished) -> RoadNetwork:
    return RoadNetwork.load(furnished.home / "networks" / f"{COUNTY}.npz")


def test_everyone_of_the_role_is_a_candidate_or_left_out_with_a_reason(
    city: Database, network: RoadNetwork
) -> None:
    with city.session() as session:
        advice = recommend(session, network, COUNTY, PLACE, "E01", k=100)
        workers = session.execute(
            text("SELECT count(*) FROM person WHERE role = 'gridworker'")
        ).scalar_one()
    assert len(advice.candidates) + len(advice.left_out) == workers
    times = [candidate.time_s for candidate in advice.candidates]
    assert times == sorted(times)
    assert all(left.reason for left in advice.left_out)


def test_off_duty_stale_and_busy_are_told_apart(city: Database, network: RoadNetwork) -> None:
    with city.session() as session:
        first, second, third, *_ = (
            c.person_id for c in recommend(session, network, COUNTY, PLACE, "E01").candidates
        )
        session.execute(text("DELETE FROM position WHERE person_id = :p"), {"p": first})
        session.execute(
            text("UPDATE position SET at = now() - interval '1 hour' WHERE person_id = :p"),
            {"p": second},
        )
        incident = incidents_waiting(session, COUNTY)[0]
        send(session, COUNTY, incident.id, third, actor="test")
        advice = recommend(session, network, COUNTY, PLACE, "E01")
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
        incident = incidents_waiting(session, COUNTY)[0].id
        people = session.scalars(
            text("SELECT id FROM person WHERE role = 'gridworker' ORDER BY id LIMIT 8")
        ).all()

    def attempt(person: int) -> bool:
        try:
            with city.session() as session:
                send(session, COUNTY, incident, person, actor=str(person))
        except StateError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, people))
    assert sum(won) == 1
    with city.session() as session:
        assert session.query(Dispatch).count() == 1
        assert session.get(Incident, incident).state == "dispatched"


def test_a_person_goes_to_one_incident_at_a_time(city: Database) -> None:
    with city.session() as session:
        one, two, *_ = incidents_waiting(session, COUNTY)
        person = session.execute(text("SELECT min(id) FROM person")).scalar_one()
        send(session, COUNTY, one.id, person, actor="test")
    with pytest.raises(StateError, match="already on the way"), city.session() as session:
        send(session, COUNTY, two.id, person, actor="test")
    with city.session() as session:
        assert session.get(Incident, two.id).state == "accepted"


@pytest.mark.parametrize(("incident", "person"), [(10**9, 1), (None, 10**9)])
def test_what_is_not_held_is_named(city: Database, incident: int | None, person: int) -> None:
    with city.session() as session:
        number = incident or incidents_waiting(session, COUNTY)[0].id
        with pytest.raises(NotFoundError, match="1000000000"):
            send(session, COUNTY, number, person, actor="test")


def test_an_unknown_class_is_named(city: Database, network: RoadNetwork) -> None:
    with city.session() as session, pytest.raises(NotFoundError, match="X99"):
        recommend(session, network, COUNTY, PLACE, "X99")
