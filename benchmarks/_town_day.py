"""A town's day over HTTP: residents look up, dispatchers take reports and carry cases on."""

import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
from sqlalchemy import text

from data.accounts import add_account
from data.database import Database

__all__ = ["Answer", "Town"]

_PASSWORD = secrets.token_urlsafe(18)
_TIMEOUT_S = 30.0
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_TAGS, _FAULT = re.compile(r"<[^>]*>"), 500
_STEPS = ("take", "report", "verify", "follow_up", "close", "recall", "return")
# What everybody may ask, and what goes on while the database is away.
PUBLIC = frozenset({"who", "card by place", "card by address", "card page"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes
    ----------
    at_s : float
        When it was sent, by the monotonic clock.
    took_s : float
    kind : str
    status : int
        0 where the connection broke: a process that is killed answers nothing.
    said : str
        What stood in an answer of 500 or more.
    """

    at_s: float
    took_s: float
    kind: str
    status: int
    said: str = ""

    @property
    def is_public(self) -> bool:
        """Whether it asked for what goes on while the database is away."""
        return self.kind in PUBLIC


@dataclass
class Town:
    """Threads that ask until the block ends.

    Parameters
    ----------
    base : str
        Address of the server.
    database : Database
    county : str
    residents, desks : int
        How many of each.
    pause_s : float
        Between two requests of one of them, on average.
    """

    base: str
    database: Database
    county: str
    residents: int = 3
    desks: int = 2
    pause_s: float = 0.25
    answers: list[Answer] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        with self.database.session() as session:
            inside = text(
                "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
                "WHERE county = :county AND upper_inf(valid)) AS one"
            )
            known = text("SELECT text FROM address WHERE county = :county ORDER BY id LIMIT 500")
            key = {"county": self.county}
            self.places = [(row[0], row[1]) for row in session.execute(inside, key)]
            self.addresses = list(session.scalars(known, key))
            for desk in range(self.desks):
                login = f"desk-{desk}"
                add_account(session, self.county, login, login, _PASSWORD, ("dispatcher", "centre"))
        works: Sequence[Callable[[int], None]] = [self._reside] * self.residents
        works = [*works, *[self._dispatch] * self.desks, self._listen]
        for number, work in enumerate(works):
            thread = threading.Thread(target=self._live, args=(work, number), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=_TIMEOUT_S)

    def _live(self, work: Callable[[int], None], number: int) -> None:
        while not self._over.is_set():
            try:
                work(number)
            except Exception as error:  # noqa: BLE001 - told by the proof
                self.faults.append(repr(error)[:300])
                self._over.wait(1.0)

    def _reside(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a load's dice
        with httpx2.Client(base_url=self.base, timeout=_TIMEOUT_S) as web:
            while not self._over.wait(dice.uniform(0, 2 * self.pause_s)):
                lon, lat = dice.choice(self.places)
                place = {"lon": str(lon), "lat": str(lat)}
                address = {"q": dice.choice(self.addresses)}
                typed = {"typed": address["q"][: dice.randint(2, 8)]}
                kind, asked = dice.choice(
                    [
                        ("who", ("GET", "/api/v1/who", {"params": place})),
                        ("card by place", ("POST", "/card", {"data": place})),
                        ("card by address", ("POST", "/card", {"data": address})),
                        ("card page", ("GET", "/card", {})),
                        ("report page", ("GET", "/report", {})),
                        ("suggestions", ("POST", "/api/v1/addresses/suggest", {"json": typed})),
                    ]
                )
                self._ask(web, kind, *asked)

    def _dispatch(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a load's dice
        with httpx2.Client(base_url=self.base, timeout=_TIMEOUT_S) as web:
            csrf, mine = "", list[int]()
            while not self._over.wait(dice.uniform(0, 2 * self.pause_s)):
                csrf = csrf or self._sign_in(web, f"desk-{number - self.residents}")
                if not csrf:
                    self._over.wait(1.0)
                    continue
                status = self._work(web, csrf, dice, mine)
                if status in {401, 403}:  # the session has ended, as by a clock that was set
                    csrf = ""

    def _work(self, web: httpx2.Client, csrf: str, dice: random.Random, mine: list[int]) -> int:
        path = "/api/v1/incidents"
        headers = {"X-CSRF-Token": csrf}
        chosen = dice.random()
        if chosen < 0.3:
            return self._ask(web, "list", "GET", path, {})[0]
        if chosen < 0.4:
            return self._ask(web, "desk", "GET", "/dispatch", {})[0]
        if chosen < 0.6 or not mine:
            lon, lat = dice.choice(self.places)
            key = secrets.token_hex(8)
            body = {"class_code": "E01", "x": lon, "y": lat, "crs": "EPSG:4326"}
            body |= {"description": key, "receipt_key": key}
            status, told = self._ask(
                web, "report", "POST", path, {"json": body, "headers": headers}
            )
            if status in {200, 201}:
                mine.append(told["incident"])
                del mine[:-20]
            return status
        step = {"receipt_key": secrets.token_hex(8), "reason": "r", "result": "r"}
        where = f"{path}/{dice.choice(mine)}/{dice.choice(_STEPS)}"
        return self._ask(web, "step", "POST", where, {"json": step, "headers": headers})[0]

    def _listen(self, _: int) -> None:
        """Hear every case on the feed; come back when it ends."""
        with httpx2.Client(base_url=self.base, timeout=_TIMEOUT_S) as web:
            if not self._sign_in(web, "desk-0"):
                self._over.wait(1.0)
                return
            try:
                with web.stream("GET", "/api/v1/incidents/feed") as feed:
                    for line in feed.iter_lines():
                        if line.startswith("event: step"):
                            self.heard.append(time.monotonic())
                        if self._over.is_set():
                            return
            except httpx2.HTTPError:
                self._over.wait(0.5)

    def _sign_in(self, web: httpx2.Client, login: str) -> str:
        """The token of a new session; "" where there was none to be had."""
        form = {"login": login, "password": _PASSWORD}
        status, _ = self._ask(web, "sign in", "POST", "/login", {"data": form})
        if status >= 400 or not status or not web.cookies.get("onegrid_session"):
            return ""
        try:
            found = _CSRF.search(web.get("/account").text)
        except httpx2.HTTPError:
            return ""
        return found[1] if found else ""

    def _ask(
        self, web: httpx2.Client, kind: str, method: str, path: str, more: dict[str, Any]
    ) -> tuple[int, Any]:
        begun = time.monotonic()
        status, told, said = 0, None, ""
        try:
            answer = web.request(method, path, **more)
            status = answer.status_code
            said = _TAGS.sub(" ", answer.text) if status >= _FAULT else ""
            if "json" in answer.headers.get("content-type", ""):
                told = answer.json()
        except httpx2.HTTPError:
            pass
        took_s = time.monotonic() - begun
        self.answers.append(Answer(begun, took_s, kind, status, " ".join(said.split())[:300]))
        return status, told
