"""Threads that live as long as the process, whatever their work raises."""

import threading
import time

import pytest

from data.background import Background, Rounds
from data.pauses import Lives


def within(check, seconds: float = 10.0) -> bool:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize(
    "error", [RuntimeError("dictionary changed size"), KeyError("x"), OSError()]
)
def test_whatever_fails_is_begun_again_and_counted(error: Exception) -> None:
    begun = threading.Semaphore(0)

    def work(rounds: Rounds) -> None:
        begun.release()
        if thread.state.failures < 2:
            raise error
        while rounds.wait(0.01):
            rounds.done()

    thread = Background("x", work)
    thread.start()
    assert within(lambda: thread.state.failures == 2 and thread.state.is_well)
    assert begun.acquire(timeout=1)
    thread.stop()
    assert not thread.is_running


def test_a_failure_is_said_while_it_lasts_and_gone_once_a_round_goes_well() -> None:
    fails = threading.Event()
    fails.set()

    def work(rounds: Rounds) -> None:
        while rounds.wait(0.01):
            if fails.is_set():
                raise ValueError("a secret\nof two lines")
            rounds.done()

    thread = Background("x", work)
    thread.start()
    assert within(lambda: "ValueError at " in thread.state.failing)
    assert "secret" not in thread.state.failing
    assert not thread.state.is_well
    fails.clear()
    assert within(lambda: thread.state.is_well)
    thread.stop()


def test_work_that_hangs_is_stuck_not_well() -> None:
    hold = threading.Event()
    thread = Background("x", lambda _: hold.wait(), silent_s=0.05)
    thread.start()
    assert within(lambda: thread.state.is_stuck)
    assert not thread.state.is_well
    hold.set()
    thread.stop()


def test_work_that_is_done_is_well_for_good() -> None:
    thread = Background("x", lambda _: None, silent_s=0.01)
    thread.start()
    assert within(lambda: thread.state.is_well)
    time.sleep(0.05)
    assert thread.state.is_well
    thread.stop()


def test_who_waits_elsewhere_is_roused_to_end() -> None:
    roused = threading.Event()

    def work(rounds: Rounds) -> None:
        with rounds.roused_by(roused.set):
            roused.wait()

    thread = Background("x", work)
    thread.start()
    time.sleep(0.05)
    begun = time.monotonic()
    thread.stop()
    assert time.monotonic() - begun < 5


def test_it_is_started_again_after_it_was_stopped() -> None:
    runs = threading.Semaphore(0)

    def work(rounds: Rounds) -> None:
        runs.release()
        while rounds.wait(10):
            pass

    thread = Background("x", work)
    for _ in range(3):
        thread.start()
        thread.start()
        assert runs.acquire(timeout=5)
        thread.stop()
    assert not runs.acquire(blocking=False)


def test_pauses_grow_only_where_it_ends_soon() -> None:
    now = 0.0
    lives, pauses = Lives(lambda: now), []
    for lived in (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 6.0, 0.1):
        lives.begin()
        now += lived
        pauses.append(lives.end())
        assert lives.is_due == (pauses[-1] == 0)
        now += pauses[-1]
        assert lives.is_due
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 0.0, 0.5]
