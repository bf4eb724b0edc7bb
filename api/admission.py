"""Who may use the database now: so many requests at once, the others wait without a thread.

A request that holds a connection still needs a thread for its next step. Were threads spent on
waiting for connections, every thread could wait for one while those who hold them wait for a
thread, and the server would stand still.

A turn is not for waiting on the client: a dependency that reads a body stands before the session
among an endpoint's parameters, since FastAPI solves them in their order.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from gis.errors import OneGridError

__all__ = ["Admission", "BusyError", "counted"]

Key = TypeVar("Key", bound=Hashable)


class BusyError(OneGridError):
    """More is asked than is answered in time."""


class Admission:
    """Turns at the database, first come first served.

    Parameters
    ----------
    most : int
        Turns at once; no more than the pool has connections.
    wait_s : float
        Who has waited so long is sent away, to come again.

    Attributes
    ----------
    in_use, waiting, refused : int
        Turns that are taken now, who waits for one, and how many were sent away.
    """

    def __init__(self, most: int, wait_s: float = 10.0) -> None:
        self._turns, self._wait_s = asyncio.Semaphore(most), wait_s
        self.most, self.in_use, self.waiting, self.refused = most, 0, 0, 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it.

        Raises
        ------
        BusyError
            If none came in time.
        """
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            self.refused += 1
            raise BusyError("too much is asked at once: try again in a moment") from None
        finally:
            self.waiting -= 1
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self._turns.release()


@contextmanager
def counted(counts: "Counter[Key]", key: Key) -> Iterator[None]:
    """Count somebody for as long as the block lasts; who is not there takes no room."""
    counts[key] += 1
    try:
        yield
    finally:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
