"""How many cards a stranger gets: some at once, more after waits, and an end for the day.

Who asks is told apart by address, and by range of addresses; both are kept as keyed hashes.
"""

import hashlib
import hmac
import ipaddress
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import limits
from fastapi import Request
from itsdangerous import BadSignature, URLSafeSerializer
from limits.strategies import FixedWindowRateLimiter

from data.asked import AskedStorage
from data.background import Background
from data.database import Database
from data.server_key import server_key
from data.settings import Settings, networks_of
from gis.errors import OneGridError

__all__ = ["Guard", "TooManyError", "Verdict"]

# The first wait, how it grows with each further card, and its end.
_WAIT_S, _GROWS, _GROWS_FOR, _LONGEST_S = 5.0, 1.5, 20, 120.0
# After the wait a ticket holds so long.
_HOLDS_S = 900
_RANGES = {4: (32, 24), 6: (64, 48)}


class TooManyError(OneGridError):
    """A stranger who has asked for much in little time.

    Attributes
    ----------
    wait_s : float
        When to ask again.
    """

    def __init__(self, message: str, wait_s: float = 60.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a card may be given.

    Attributes
    ----------
    may : bool
    wait_s : float
        When to ask again; 0 where it may.
    ticket : str
        Asked with again after the wait; empty where the day's end is reached.
    """

    may: bool
    wait_s: float = 0.0
    ticket: str = ""


class Guard:
    """Counts what strangers ask for.

    Parameters
    ----------
    settings : Settings
    database : Database
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database, self._county = database, settings.county
        # Of a range many ask at once, and its end is far.
        self._storage = AskedStorage(database.engine, settings.county, ahead=2)
        self._ranges = AskedStorage(
            database.engine, settings.county, ahead=20, name="counts of ranges"
        )
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._range_limiter = FixedWindowRateLimiter(self._ranges)
        self._names = lru_cache(maxsize=20_000)(self._named)
        self._free = limits.parse(settings.cards_free)
        self._most = limits.parse(settings.cards_most)
        self._range = limits.parse(settings.cards_range)
        self._suggestions = limits.parse(settings.suggestions_most)
        self._reports = limits.parse(settings.reports_most)
        self._trusted = networks_of(settings.trusted_networks)
        self._partners = [key.encode() for _, key in settings.named_keys]
        self._key = b""

    @property
    def threads(self) -> list[Background]:
        """What works in the background."""
        return [self._storage.writer, self._ranges.writer]

    def start(self) -> None:
        """Begin to share counts with other processes."""
        self._storage.start()
        self._ranges.start()

    def stop(self) -> None:
        """Write what was counted, and end."""
        self._storage.stop()
        self._ranges.stop()

    def forget(self) -> None:
        """Begin to count anew."""
        self._storage.reset()
        self._ranges.reset()

    def is_ready(self, request: Request) -> bool:
        """Whether `card` answers without asking the database."""
        if not self._key:
            return False
        one, near = self.client(request)
        if self._ranges.waits(self._range.key_for(near)):
            return False
        keys = (self._free.key_for(one), self._most.key_for(one))
        return not any(self._storage.waits(key) for key in keys)

    def is_partner(self, request: Request) -> bool:
        """Whether the request carries the key of a system that is known."""
        said = request.headers.get("x-api-key", "").encode()
        return bool(said) and any(hmac.compare_digest(said, key) for key in self._partners)

    def signer(self, purpose: str) -> URLSafeSerializer:
        """Signs what a client keeps for the server."""
        return URLSafeSerializer(self.secret(), salt=purpose)

    def client(self, request: Request) -> tuple[str, str]:
        """The client and its range, as keyed hashes."""
        return self._names(request.client.host if request.client else "")

    def is_trusted(self, request: Request) -> bool:
        """Whether the client is of a network that is not counted."""
        if not self._trusted or request.client is None:
            return False
        try:
            address = ipaddress.ip_address(request.client.host)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def hashed(self, text: str) -> str:
        """A hash with the server's key, under which something is counted."""
        return hmac.new(self.secret(), text.encode(), hashlib.sha256).hexdigest()[:24]

    @property
    def has_secret(self) -> bool:
        """Whether `secret` answers without asking the database."""
        return bool(self._key)

    def secret(self) -> bytes:
        """The server's key."""
        if not self._key:
            with self._database.session() as session:
                self._key = server_key(session, self._county)
        return self._key

    def card(self, request: Request, ticket: str = "") -> Verdict:
        """Count a card that is asked for.

        Parameters
        ----------
        ticket : str
            Of an earlier verdict, whose wait is over.
        """
        if self.is_trusted(request) or self.is_partner(request):
            return Verdict(may=True)
        one, near = self.client(request)
        within_day = self._limiter.test(self._most, one)
        within_day &= self._range_limiter.test(self._range, near)
        if not within_day:
            return Verdict(may=False, wait_s=self._until(one, near))
        waited = bool(ticket) and self._has_waited(one, ticket)
        if not waited and not self._limiter.hit(self._free, one):
            return self._wait(one)
        given = self._limiter.hit(self._most, one)
        given &= self._range_limiter.hit(self._range, near)
        return Verdict(given, 0.0 if given else self._until(one, near))

    def require_card(self, request: Request) -> None:
        """Count a card that a program asks for.

        Raises
        ------
        TooManyError
            If it may not be given now.
        """
        verdict = self.card(request)
        if not verdict.may:
            raise TooManyError(
                "that was much in little time: ask with a key, or later", verdict.wait_s
            )

    def suggestion(self, request: Request) -> None:
        """Count a look at what somebody types.

        Raises
        ------
        TooManyError
            If there were as many as there may be.
        """
        self._require(request, self._suggestions, "suggestion")

    def report(self, request: Request) -> None:
        """Count a report, which gives others work.

        Raises
        ------
        TooManyError
            If there were as many as there may be.
        """
        self._require(request, self._reports, "report")

    def _require(self, request: Request, most: limits.RateLimitItem, purpose: str) -> None:
        if self.is_trusted(request) or self.is_partner(request):
            return
        one, _ = self.client(request)
        if not self._limiter.hit(most, one, purpose):
            stats = self._limiter.get_window_stats(most, one, purpose)
            raise TooManyError(f"no more than {most}", _from_now(stats.reset_time))

    def _until(self, one: str, near: str) -> float:
        held = ((self._limiter, self._most, one), (self._range_limiter, self._range, near))
        ends = [
            limiter.get_window_stats(item, key).reset_time
            for limiter, item, key in held
            if not limiter.test(item, key)
        ]
        return _from_now(max(ends, default=time.time() + _LONGEST_S))

    def _wait(self, one: str) -> Verdict:
        """The more was asked for already, the longer."""
        over = self._storage.get(self._free.key_for(one)) - self._free.amount
        wait_s = min(_WAIT_S * _GROWS ** min(max(over - 1, 0), _GROWS_FOR), _LONGEST_S)
        ticket = self.signer("ticket").dumps([one, round(time.time() + wait_s, 1)])
        held = ticket if isinstance(ticket, str) else ticket.decode()
        return Verdict(may=False, wait_s=wait_s, ticket=held)

    def _has_waited(self, one: str, ticket: str) -> bool:
        try:
            said: Any = self.signer("ticket").loads(ticket[:400])
            who, since = str(said[0]), float(said[1])
        except (BadSignature, TypeError, ValueError, IndexError):
            return False
        return who == one and since <= time.time() <= since + _HOLDS_S

    def _named(self, host: str) -> tuple[str, str]:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return self.hashed(host), self.hashed(f"{host}/")
        # A dual-stack socket writes old addresses the new way.
        address = getattr(address, "ipv4_mapped", None) or address
        narrow, wide = (
            ipaddress.ip_network((address, bits), strict=False) for bits in _RANGES[address.version]
        )
        return self.hashed(str(narrow)), self.hashed(str(wide))


def _from_now(moment_s: float) -> float:
    return max(1.0, moment_s - time.time())
