"""How many converters run at once, and who waits for one: outside every turn at the database."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from api.admission import BusyError, counted

__all__ = ["MOST_OF_ONE", "Converters"]

T = TypeVar("T")
# A family behind one address sends a few photos at once, and waits for all.
MOST_OF_ONE = 4
_MOST_WAITING, _LONGEST_WAIT_S = 16, 10.0


class Converters:
    """Turns of one server process at starting a converter, first come first served.

    Parameters
    ----------
    most : int
        Converters at once: each may take a core and hundreds of megabytes.

    Attributes
    ----------
    in_use, waiting, refused : int
        Converters that run now, who waits for one, and how many were sent away.
    """

    def __init__(self, most: int = 2) -> None:
        self._turns = asyncio.Semaphore(most)
        self.most, self.in_use, self.waiting, self.refused = most, 0, 0, 0
        self._of: Counter[str] = Counter()

    async def run(self, convert: Callable[..., T], *arguments: object, asks: str = "") -> T:
        """Call a function that waits for a converter, in a thread.

        Parameters
        ----------
        asks : str
            Who asks, where that is a stranger: `MOST_OF_ONE` of each run and wait.

        Raises
        ------
        BusyError
            If too many wait already, also of the one who asks, or no turn came in time.
        """
        if asks and self._of[asks] >= MOST_OF_ONE:
            self.refused += 1
            raise BusyError("you ask for too many papers and photos at once: try again")
        with counted(self._of, asks):
            return await self._run(convert, *arguments)

    async def _run(self, convert: Callable[..., T], *arguments: object) -> T:
        if self.waiting >= _MOST_WAITING:
            self.refused += 1
            raise BusyError("too many papers and photos are asked for at once: try again")
        self.waiting += 1
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            self.refused += 1
            raise BusyError("papers and photos take long now: try again in a moment") from None
        finally:
            self.waiting -= 1
        self.in_use += 1
        try:
            return await run_in_threadpool(convert, *arguments)
        finally:
            self.in_use -= 1
            self._turns.release()
