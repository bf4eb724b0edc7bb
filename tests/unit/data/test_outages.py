"""What is away says so once, then counts, and says once that it is back."""

import psycopg
import pytest

from data.background import Background, Rounds
from data.log import OWN
from data.outages import DATABASE, Outage
from tests.unit.data.test_background import within


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage("it is away", "it is still away", "it is back", facts={"of": "x"}, clock=clock)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.name == OWN]


def test_an_outage_says_itself_once_then_counts_then_ends(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1500):
        clock.now_s += 0.5
        outage.failed("it refuses", "a")
    assert said(caplog) == ["it is away", "it is still away", "it is still away"]
    assert caplog.records[0].reason == "it refuses"
    assert caplog.records[1].attempts == 601
    clock.now_s += 5
    outage.well("a")
    outage.well("a")
    assert said(caplog)[3:] == ["it is back"]
    assert caplog.records[-1].attempts == 1500
    assert caplog.records[-1].lasted_s == 754.5
    assert caplog.records[-1].of == "x"


def test_it_is_over_with_the_last_who_failed(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed("it refuses", "a")
    outage.failed("it refuses", "b")
    outage.well("a")
    outage.well("c")
    assert said(caplog) == ["it is away"]
    outage.well("b")
    assert said(caplog) == ["it is away", "it is back"]
    assert not outage.is_on


def test_who_has_ended_is_not_waited_for(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.failed("it refuses", "a")
    outage.forget("a")
    assert not outage.is_on
    outage.failed("it refuses", "b")
    assert said(caplog) == ["it is away", "it is away"]


def test_after_a_long_silence_it_is_another_outage(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed("it refuses")
    clock.now_s += 400
    outage.failed("it refuses")
    assert said(caplog) == ["it is away", "it is away"]


def test_threads_tell_of_the_database_together(caplog: pytest.LogCaptureFixture) -> None:
    away = {"it": True}

    def work(rounds: Rounds) -> None:
        while rounds.wait(0.01):
            if away["it"]:
                raise psycopg.OperationalError("connection refused")
            rounds.done()

    threads = [Background(f"x{number}", work) for number in range(5)]
    for one in threads:
        one.start()
    assert within(lambda: all(one.state.failures for one in threads))
    away["it"] = False
    assert within(lambda: not DATABASE.is_on)
    for one in threads:
        one.stop()
    assert said(caplog) == ["the database does not answer", "the database answers again"]
    assert caplog.records[0].reason == "OperationalError: connection refused"
    assert caplog.records[1].attempts >= 5
