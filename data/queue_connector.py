"""The queue's way to its database: an outage is told there as everywhere else.

What procrastinate and its pool say of it themselves, an error each, is counted (`data.log_setup`).
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import procrastinate
from psycopg_pool import AsyncConnectionPool

from data.outages import DATABASE
from data.reasons import is_away, reason_of

__all__ = ["QUEUE", "QUEUE_WAIT_S", "ToldConnector"]

# Who tells of the database, of all that ask it in a process.
QUEUE = "the queue"
# How long the queue waits for a database that has gone away before it says so, and how long for an
# answer: a server that hangs takes what is asked, and nothing ends there.
QUEUE_WAIT_S, _SILENT_S = 5.0, 10.0
Answer = TypeVar("Answer")


class _Pool(AsyncConnectionPool):
    """A pool that is given up, and made anew, before it has long ceased to try."""

    async def open(self, wait: bool = False, timeout: float = QUEUE_WAIT_S) -> None:  # noqa: ASYNC109 - psycopg's own
        """Open it, and wait for its first connections no longer than a query would."""
        await super().open(wait, timeout)


class ToldConnector(procrastinate.PsycopgConnector):
    """Tells of queries that find no database, and of the first that does.

    Parameters
    ----------
    **kwargs
        Of procrastinate's own connector.

    Attributes
    ----------
    answered_s : float
        When a query was last answered as it should be; monotonic, 0 before.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pool_factory=_Pool, **kwargs)
        self.answered_s = 0.0

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Run a query."""
        await self._told(super().execute_query_async(query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Run a query that has one row."""
        return await self._told(super().execute_query_one_async(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Run a query that has any number of rows."""
        return await self._told(super().execute_query_all_async(query, **arguments))

    async def _told(self, query: Coroutine[Any, Any, Answer]) -> Answer:
        task = asyncio.create_task(query)
        try:
            while not (await asyncio.wait({task}, timeout=_SILENT_S))[0]:
                DATABASE.failed("it takes what is asked and does not answer", QUEUE)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        try:
            answer = task.result()
        except Exception as error:
            if is_away(error):
                DATABASE.failed(reason_of(error), QUEUE)
            else:
                DATABASE.well(QUEUE)
            raise
        self.answered_s = time.monotonic()
        DATABASE.well(QUEUE)
        return answer
