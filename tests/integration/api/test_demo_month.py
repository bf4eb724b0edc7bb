"""The demonstration city's month of work: what a new user sees in ledger and lights."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from api.demo_month import play_month
from data.database import Database
from data.scope import Scope
from data.settings import DEMO_COUNTY
from routing.incidents.ledger import ledger_of
from tests.storm import assert_whole


def test_a_month_of_work_is_whole_and_fills_the_ledger(city: Database) -> None:
    now = datetime.now(UTC)
    with city.session() as session:
        assert play_month(session, seed=1, end=now) == 60
    with city.session() as session:
        assert_whole(session)
        states = set(session.scalars(text("SELECT DISTINCT state FROM incident")))
        assert {"accepted", "closed"} < states
        assert not session.scalar(text("SELECT count(*) FROM incident_event WHERE at > now()"))
        whole = ledger_of(session, Scope.whole(DEMO_COUNTY), now - timedelta(days=30), now).whole
    assert whole.closed > 20
    assert whole.on_time < whole.closed
    assert whole.reworked > 0
    assert whole.answered > 0
    assert whole.satisfied > 0
