"""Where passwords are hashed: few at once, beside the database's turns and behind other work.

A hash takes tens of milliseconds of several cores and 64 MB. Two at once at most, a short line
of those who wait, known devices before strangers; who finds the line full is sent away at once.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from api.admission import BusyError

__all__ = ["PasswordPool"]

Ts = TypeVarTuple("Ts")
R = TypeVar("R")
# A hash is four threads: on a small machine, two at once would leave the server little. A low
# priority would be worse: a thread that waits for the processor holds Python's lock meanwhile.
_MOST = 2 if (os.cpu_count() or 1) >= 4 else 1
_MOST_WAITING, _WAIT_S = 8, 5.0


class PasswordPool:
    """Runs what hashes.

    Parameters
    ----------
    most : int
        How many at once.
    most_waiting : int
        How many may wait in each of the two lines.

    Attributes
    ----------
    refused : int
        How many were sent away.
    """

    def __init__(self, most: int = _MOST, most_waiting: int = _MOST_WAITING) -> None:
        self._most, self._most_waiting = most, most_waiting
        self._running = 0
        self.refused = 0
        self._known: deque[asyncio.Future[None]] = deque()
        self._strangers: deque[asyncio.Future[None]] = deque()
        self._executor: ThreadPoolExecutor | None = None

    @property
    def most(self) -> int:
        """How many hash at once."""
        return self._most

    @property
    def in_use(self) -> int:
        """How many hash now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._known) + len(self._strangers)

    async def run(self, work: Callable[[*Ts], R], *arguments: *Ts, first: bool) -> R:
        """Wait for a place, and hash.

        Parameters
        ----------
        first : bool
            Before all strangers: a device that is known, or somebody signed in.

        Raises
        ------
        BusyError
            If the line is full, or no place came in time.
        """
        await self._place(self._known if first else self._strangers)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads(), work, *arguments)
        finally:
            self._leave()

    def stop(self) -> None:
        """End the threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    async def _place(self, line: "deque[asyncio.Future[None]]") -> None:
        if self._running < self._most:
            self._running += 1
            return
        if len(line) >= self._most_waiting:
            self.refused += 1
            raise BusyError("many sign in at once: try again in a moment")
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            async with asyncio.timeout(_WAIT_S):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._leave()  # the place came while its owner went
            elif place in line:
                line.remove(place)
            if isinstance(error, TimeoutError):
                self.refused += 1
                raise BusyError("many sign in at once: try again in a moment") from None
            raise

    def _leave(self) -> None:
        """Give the place to the next who waits."""
        for line in (self._known, self._strangers):
            while line:
                place = line.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._running -= 1

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._most, "passwords")
        return self._executor
