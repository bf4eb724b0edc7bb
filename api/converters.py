"""How many converters run at once, and who waits for one: outside every turn at the database."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from api.admission import BusyError

__all__ = ["Converters"]

T = TypeVar("T")
_MOST_WAITING, _LONGEST_WAIT_S = 16, 10.0


class Converters:
    """Turns of one server process at starting a converter, first come first served.

    Parameters
    ----------
    most : int
        Converters at once: each may take a core and hundreds of megabytes.
    """

    def __init__(self, most: int = 2) -> None:
        self._turns, self._waiting = asyncio.Semaphore(most), 0

    async def run(self, convert: Callable[..., T], *arguments: object) -> T:
        """Call a function that waits for a converter, in a thread.

        Raises
        ------
        BusyError
            If too many wait already, or no turn came in time.
        """
        if self._waiting >= _MOST_WAITING:
            raise BusyError("too many papers and photos are asked for at once: try again")
        self._waiting += 1
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise BusyError("papers and photos take long now: try again in a moment") from None
        finally:
            self._waiting -= 1
        try:
            return await run_in_threadpool(convert, *arguments)
        finally:
            self._turns.release()
