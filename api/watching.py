"""Who watches a draft: changes and people, told to every browser by server-sent events.

The database tells every process of every change (channel ``draft``); each process passes on
what its own browsers watch. People are told the same way, so that planners who are served by
different processes see each other.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from api.listening import Listener, facts_of
from api.rights import Stream, put_soon
from data.database import Database
from data.log import LOG
from data.reasons import reason_of
from data.sessions import SignedIn

__all__ = ["Watching"]

# How often a browser's presence is told, and after which silence it is taken for gone.
HERE_S, GONE_S = 10.0, 25.0
Event = dict[str, Any]
_MISSED: Event = {"event": "resync"}


@dataclass(eq=False)
class _Browser:
    """One open event stream."""

    draft: int
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(maxsize=200))


class Watching:
    """The event streams of this process; `listener` hears the database for all of them."""

    def __init__(self, county: str, database: Database) -> None:
        self._county, self._database = county, database
        self._lock = threading.Lock()
        self._browsers: set[_Browser] = set()
        self._here: dict[int, dict[str, tuple[str, float]]] = {}
        self._resync = partial(self._pass_on, None, _MISSED)
        self.listener = Listener("draft", database, self._hear_all, self._resync)

    @property
    def listeners(self) -> int:
        """How many browsers watch."""
        return len(self._browsers)

    async def events(self, stream: Stream, draft: int, who: SignedIn) -> AsyncIterator[Event]:
        """What happens to a draft from now on, and who else is there.

        Yields
        ------
        dict
            ``{"event": "change", "data": …}`` with the draft's version and state,
            ``{"event": "people", "data": …}`` with the names of those who watch,
            ``{"event": "resync", …}`` where something may have been missed, and
            ``{"event": "ended", …}`` once the right to watch has ended.
        """
        browser = _Browser(draft, asyncio.get_running_loop())
        with self._lock:
            self._browsers.add(browser)
        mark, name = f"{who.login}/{id(browser)}", who.name
        try:
            await asyncio.to_thread(self._tell, draft, mark, name)
            yield {"event": "people", "data": json.dumps(self._people(draft), ensure_ascii=False)}
            async for told in stream.following(browser.queue, HERE_S):
                if told is None:
                    await asyncio.to_thread(self._tell, draft, mark, name)
                else:
                    yield {"event": told["event"], "data": json.dumps(told, ensure_ascii=False)}
            yield stream.farewell()
        finally:
            stream.close()
            with self._lock:
                self._browsers.discard(browser)
            threading.Thread(target=self._tell, args=(draft, mark, ""), daemon=True).start()

    def _tell(self, draft: int, mark: str, name: str) -> None:
        """Tell all processes that somebody is there, or with no name that they have left."""
        told = {"county": self._county, "draft": draft, "mark": mark, "name": name}
        try:
            with psycopg.connect(self._database.conninfo, autocommit=True) as connection:
                connection.execute("SELECT pg_notify('draft', %s)", [json.dumps(told)])
        except psycopg.Error as error:  # the next beat tells it again
            LOG.debug("presence in a draft was not told", draft=draft, reason=reason_of(error))

    def _people(self, draft: int) -> Event:
        now = time.monotonic()
        here = self._here.get(draft, {})
        names = {name for name, seen in here.values() if now - seen < GONE_S}
        return {"event": "people", "names": sorted(names)}

    def _hear_all(self, payloads: Sequence[str]) -> None:
        for told in facts_of(payloads, {"county", "draft"}):
            if told is None:
                self._resync()
            else:
                self._hear(told)

    def _hear(self, told: Event) -> None:
        if told["county"] != self._county:
            return
        draft = told["draft"]
        if "mark" not in told:
            self._pass_on(draft, {"event": "change", **told})
            return
        before, now_s = self._people(draft), time.monotonic()
        # Who was with a process that was killed has not said that they left.
        here = {
            m: seen for m, seen in self._here.get(draft, {}).items() if now_s - seen[1] < GONE_S
        }
        if told.get("name"):
            here[told["mark"]] = (told["name"], now_s)
        else:
            here.pop(told["mark"], None)
        self._here[draft] = here
        if (now := self._people(draft)) != before:
            self._pass_on(draft, now)

    def _pass_on(self, draft: int | None, event: Event) -> None:
        with self._lock:
            chosen = [one for one in self._browsers if draft in {None, one.draft}]
        for one in chosen:
            put_soon(one.loop, one.queue, event, _MISSED)
