"""Threads that do their work for as long as the process lives, whatever goes wrong in between.

A thread that fails is begun again after a pause, its first failure is told and the rest counted;
how it is can be asked (`Background.state`). Whoever works says with each round that it goes on:
one that has been silent for longer than it should is told of as stuck.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from data.log import LOG
from data.outages import DATABASE, Outage
from data.pauses import FIRST_PAUSE_S, Lives
from data.reasons import is_away, reason_of

__all__ = ["Background", "BackgroundState", "Rounds"]

# A round that takes longer than this hangs, unless its work says how long it may take.
_SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class BackgroundState:
    """How a thread is.

    Attributes
    ----------
    name : str
    failures : int
        How often it has failed since the process began.
    faults : int
        How often of these the database was there: it was a fault of the program.
    failing : str
        Why it fails now; ``""`` where it works.
    silent_s : float
        Since when it has said nothing, in seconds.
    is_stuck : bool
        Whether that is longer than a round may take.
    is_well : bool
        Whether it works, or has done all that it is for.
    """

    name: str
    failures: int
    faults: int
    failing: str
    silent_s: float
    is_stuck: bool
    is_well: bool


class Rounds:
    """What the work of a thread is given: when to end, and whom to tell that it goes on.

    Parameters
    ----------
    well : callable
        Called with each round that has gone well.
    """

    def __init__(self, well: Callable[[], None]) -> None:
        self._stop, self._wake = threading.Event(), threading.Event()
        self._well, self._heard_s = well, time.monotonic()
        self._rouse: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the thread shall end."""
        return self._stop.is_set()

    @property
    def silent_s(self) -> float:
        """Since when nothing has been said."""
        return time.monotonic() - self._heard_s

    def done(self) -> None:
        """Say that a round has gone well."""
        self._heard_s = time.monotonic()
        self._well()

    def wait(self, seconds: float) -> bool:
        """Wait for so long or for `wake`; return whether to go on."""
        if not self.is_over:
            self._wake.wait(seconds)
        self._wake.clear()
        self._heard_s = time.monotonic()
        return not self.is_over

    def repeat(self, work: Callable[[], object], seconds: float) -> None:
        """Do something now, and again so many seconds after it or at `wake`, until the end."""
        goes_on = not self.is_over
        while goes_on:
            work()
            self.done()
            goes_on = self.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Wait for so long, or for the end, after a round that failed."""
        self._stop.wait(seconds)
        self._heard_s = time.monotonic()

    def wake(self) -> None:
        """End the present or the next `wait`."""
        self._wake.set()

    @contextmanager
    def roused_by(self, rouse: Callable[[], None]) -> Iterator[None]:
        """Within the block, `rouse` ends what the thread waits for where that is not `wait`."""
        self._rouse = rouse
        try:
            yield
        finally:
            self._rouse = None

    def end(self) -> None:
        """Tell the thread to end."""
        self._stop.set()
        self._wake.set()
        if (rouse := self._rouse) is not None:
            rouse()


class Background:
    """A thread that is begun again until it is stopped.

    Parameters
    ----------
    name : str
        What it is called in logs and states.
    work : callable
        Works until ``rounds.is_over``, or until it has done all that it is for; whatever it raises
        is told, and it is called again.
    silent_s : float
        How long a round may take.
    """

    def __init__(
        self, name: str, work: Callable[[Rounds], None], *, silent_s: float = _SILENT_S
    ) -> None:
        self.name = name
        self._work, self._most_silent_s = work, silent_s
        self._rounds = Rounds(self._note_well)
        self._thread: threading.Thread | None = None
        self._failures = self._program_faults = self._in_a_row = 0
        self._failing, self._is_done = "", False
        self._faults = Outage(
            "a background thread fails and is begun again",
            "a background thread still fails",
            "a background thread works again",
            facts={"work": name},
        )

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._thread is not None

    @property
    def state(self) -> BackgroundState:
        """How it is now."""
        silent_s, thread = self._rounds.silent_s, self._thread
        lives = thread is not None and thread.is_alive()
        stuck = lives and silent_s > self._most_silent_s
        is_well = self._is_done or (lives and not stuck and not self._failing)
        return BackgroundState(
            self.name,
            self._failures,
            self._program_faults,
            self._failing,
            silent_s,
            stuck,
            is_well,
        )

    def start(self) -> None:
        """Begin; what has begun goes on."""
        if self._thread is not None:
            return
        self._rounds, self._is_done = Rounds(self._note_well), False
        self._thread = threading.Thread(
            target=self._live, args=(self._rounds,), daemon=True, name=self.name
        )
        self._thread.start()

    def wake(self) -> None:
        """End the present, or the next, wait of its work."""
        self._rounds.wake()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let the present round end, and end."""
        self._rounds.end()
        if self._thread is not None:
            self._thread.join(timeout=timeout_s)
            self._thread = None

    def _live(self, rounds: Rounds) -> None:
        lives = Lives()
        while not rounds.is_over:
            lives.begin()
            try:
                self._work(rounds)
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread lives
                self._note_failure(error)
                rounds.pause(lives.end() or FIRST_PAUSE_S)
            else:
                self._note_well()
                self._is_done = True
                return
        DATABASE.forget(self)

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        self._in_a_row += 1
        self._failing = reason_of(error)
        self._program_faults += not is_away(error)
        # A thread that comes to the database and fails at something else has found it.
        failing, other = (DATABASE, self._faults) if is_away(error) else (self._faults, DATABASE)
        other.well(self)
        failing.failed(self._failing, self)
        LOG.debug("a background thread fails", work=self.name, exc_info=error)

    def _note_well(self) -> None:
        if self._in_a_row:
            self._in_a_row, self._failing = 0, ""
            for one in (DATABASE, self._faults):
                one.well(self)
