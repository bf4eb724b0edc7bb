"""Positions: the latest one only, only newer ones, only of known devices, only on duty."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.cluster import Cluster
from data.database import Database
from data.errors import NotFoundError, StateError
from data.settings import DEMO_COUNTY as COUNTY
from routing.errors import DeviceError, ReportError
from routing.positions import Fix, disable_devices, enrol_device, forget_position, take_fix
from tests.conftest import Furnished


@pytest.fixture(scope="module")
def city(cluster: Cluster, furnished: Furnished) -> Iterator[Database]:
    """One city for all of these."""
    database = furnished.city(cluster, "positions_city")
    yield database
    database.engine.dispose()


def someone(session: Session) -> int:
    """A gridworker who is not on leave and on no roster."""
    query = text(
        "SELECT min(id) FROM person WHERE role = 'gridworker' AND NOT EXISTS ("
        "SELECT 1 FROM leave WHERE person_id = person.id) AND NOT EXISTS ("
        "SELECT 1 FROM duty_roster WHERE person_id = person.id)"
    )
    return session.scalar(query)


def kept(session: Session, person: int) -> list[tuple]:
    query = text("SELECT ST_X(geom), ST_Y(geom), at FROM position WHERE person_id = :person")
    return [tuple(row) for row in session.execute(query, {"person": person})]


def test_the_latest_is_kept_and_none_beside_it(city: Database) -> None:
    now = datetime.now(UTC)
    with city.session() as session:
        person = someone(session)
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
        for seconds in (60, 40, 20):
            fix = Fix(122.31, 43.5 + seconds / 1000, now - timedelta(seconds=seconds))
            assert take_fix(session, fix, token=token) == person
        assert kept(session, person) == [(122.31, 43.52, now - timedelta(seconds=20))]
        held = session.scalars(text("SELECT token_hash FROM device")).all()
        assert all(token not in one for one in held), "tokens are held as hashes"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"at": timedelta(seconds=30)}, StateError),
        ({"at": timedelta(seconds=60)}, StateError),
        ({"at": timedelta(minutes=16)}, ReportError),
        ({"at": timedelta(minutes=-5)}, ReportError),
        ({"lon": 200.0}, ReportError),
        ({"lat": float("nan")}, ReportError),
        ({"lon": 0.0, "lat": 0.0}, ReportError),
        ({"token": "forged"}, DeviceError),
        ({"token": ""}, DeviceError),
    ],
    ids=[
        "replayed",
        "older",
        "stale",
        "to come",
        "off earth",
        "nan",
        "null island",
        "forged",
        "none",
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    city: Database, change: dict, error: type
) -> None:
    now = datetime.now(UTC)
    with city.session() as session:
        person = someone(session)
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
        take_fix(session, Fix(122.31, 43.57, now - timedelta(seconds=30)), token=token)
        before = kept(session, person)
        fix = Fix(
            change.get("lon", 122.3),
            change.get("lat", 43.5),
            now - change.get("at", timedelta(seconds=1)),
        )
        with pytest.raises(error):
            take_fix(session, fix, token=change.get("token", token))
        assert kept(session, person) == before


def test_off_duty_nothing_is_kept(city: Database) -> None:
    now = datetime.now(UTC)
    with city.session() as session:
        person = someone(session)
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
        session.execute(
            text(
                "INSERT INTO leave (county, person_id, valid) VALUES (:county, :person, "
                "tstzrange(now() - interval '1 hour', now() + interval '1 hour'))"
            ),
            {"county": COUNTY, "person": person},
        )
        with pytest.raises(DeviceError, match="not on duty"):
            take_fix(session, Fix(122.31, 43.57, now), token=token)
        assert kept(session, person) == []


@pytest.mark.parametrize(
    ("begins", "ends", "days", "kept_then"),
    [(-2, 2, 0, True), (1, 3, 0, False), (-4, -2, 0, False), (-2, 2, 1, False)],
)
def test_a_roster_says_when(
    city: Database, begins: int, ends: int, days: int, kept_then: bool
) -> None:
    with city.session() as session:
        person = someone(session)
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
        session.execute(text("DELETE FROM duty_roster WHERE person_id = :p"), {"p": person})
        session.execute(
            text(
                "INSERT INTO duty_roster (county, source_ref, unit_id, person_id, presence, valid, "
                "weekdays, starts, ends) SELECT :county, 't' || :person, min(unit.id), :person, "
                "'resident', "
                "tstzrange(now() - interval '9 days', NULL), ARRAY[1 + (extract(isodow FROM "
                "(now() AT TIME ZONE 'Asia/Shanghai') + make_interval(hours => :begins))::int - 1 "
                "+ :days) % 7]::smallint[], "
                "((now() AT TIME ZONE 'Asia/Shanghai') + make_interval(hours => :begins))::time, "
                "((now() AT TIME ZONE 'Asia/Shanghai') + make_interval(hours => :ends))::time "
                "FROM unit"
            ),
            {"county": COUNTY, "person": person, "begins": begins, "ends": ends, "days": days},
        )
        fix = Fix(122.31, 43.57, datetime.now(UTC))
        if kept_then:
            take_fix(session, fix, token=token)
        else:
            with pytest.raises(DeviceError, match="not on duty"):
                take_fix(session, fix, token=token)


def test_a_lost_device_is_disabled_with_its_position(city: Database) -> None:
    with city.session() as session:
        person = someone(session)
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
        take_fix(session, Fix(122.31, 43.57, datetime.now(UTC)), token=token)
        assert disable_devices(session, COUNTY, person) >= 1
        assert kept(session, person) == []
        with pytest.raises(DeviceError):
            take_fix(session, Fix(122.31, 43.57, datetime.now(UTC)), token=token)
        with pytest.raises(NotFoundError):
            enrol_device(session, COUNTY, 10**9)
