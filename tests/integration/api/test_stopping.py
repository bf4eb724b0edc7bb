"""A server that is told to end: requests under way end, streams are told to come back."""

import time
from pathlib import Path

import pytest

from data.accounts import add_account
from data.database import Database
from data.settings import DEMO_COUNTY, Settings
from tests.security.test_rights_of_streams import FEED, PASSWORD, Ear, sign_in
from tests.served import Served


@pytest.fixture
def served(city: Database, city_settings: Settings) -> Served:
    with city.session() as session:
        add_account(session, DEMO_COUNTY, "desk", "desk", PASSWORD, ("dispatcher",))
    made = Served(city, Path(city_settings.home), DEMO_COUNTY)
    made.start()
    return made


def test_streams_are_told_to_come_back_and_nobody_is_signed_out(served: Served) -> None:
    ears = [Ear(served.base, sign_in(served, "desk"), FEED) for _ in range(3)]
    assert [ear.status for ear in ears] == [200] * 3
    begun = time.monotonic()
    served.program.terminate()
    assert served.program.wait(timeout=30) == 0
    assert time.monotonic() - begun < 15
    for ear in ears:
        assert ear.ended.wait(timeout=5)
        told = [line for line in ear.lines if line.startswith(("retry:", "event:"))]
        assert told, ear.lines
        assert told[-1].startswith("retry:")
        assert "event: ended" not in told
