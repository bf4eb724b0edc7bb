"""How often passwords may be guessed: by name, by address, by range, and by known device.

A name that is guessed at from anywhere is closed to strangers for a while, never to the devices
that its owner has used; these have a count of their own. One password tried on many names is
seen in memory, under a key that no other process has: no trace of passwords is stored.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import limits
from fastapi import Request
from limits.strategies import FixedWindowRateLimiter

from api.guard import Guard, TooManyError
from data.asked import AskedStorage
from data.background import Background
from data.database import Database
from data.settings import Settings

__all__ = ["Attempt", "SignInGuard", "Sprayed"]

# Limits with the identities that they count.
Keys = tuple[tuple[limits.RateLimitItem, str, str], ...]
# On so many names within the window, a password that fits none of them is being sprayed.
_MANY_NAMES, _SPRAY_S = 8, 900.0
_MOST_PASSWORDS = 5_000
# What a sprayed password weighs in the counts of its address and range.
_SPRAY_WEIGHT = 10
_TOO_MANY = "that was much in little time: wait, or use a device that you have signed in from"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A guess that was counted: what is given back where it was no guess.

    Attributes
    ----------
    keys : tuple
        What was counted.
    """

    keys: Keys


@dataclass(slots=True)
class Sprayed:
    """Names on which one password was tried in vain."""

    since: float
    names: set[str] = field(default_factory=set)
    told: bool = False


class SignInGuard:
    """Counts guesses.

    Parameters
    ----------
    settings : Settings
    database : Database
    guard : Guard
        Tells clients apart.
    """

    def __init__(self, settings: Settings, database: Database, guard: Guard) -> None:
        self._guard = guard
        self._storage = AskedStorage(
            database.engine, settings.county, ahead=2, name="counts of sign-ins"
        )
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._by_name = limits.parse(settings.logins_name)
        self._by_address = limits.parse(settings.logins_address)
        self._by_range = limits.parse(settings.logins_range)
        self._by_device = limits.parse(settings.logins_device)
        self._key = secrets.token_bytes(16)
        self._passwords: OrderedDict[str, Sprayed] = OrderedDict()
        self._told: dict[str, float] = {}

    @property
    def threads(self) -> list[Background]:
        """What works in the background."""
        return [self._storage.writer]

    def start(self) -> None:
        """Begin to share counts with other processes."""
        self._storage.start()

    def stop(self) -> None:
        """Write what was counted, and end."""
        self._storage.stop()

    def forget(self) -> None:
        """Begin to count anew."""
        self._storage.reset()
        self._passwords.clear()

    def require_open(self, request: Request, login: str) -> None:
        """Refuse a guess from a device that is not known; asks memory alone.

        Raises
        ------
        TooManyError
            If the name, the address or its range has had its share.
        """
        self._require(self._strangers_keys(request, login))

    def stranger(self, request: Request, login: str) -> Attempt:
        """Count a guess from a device that is not known; may ask the database.

        Raises
        ------
        TooManyError
            As `require_open`; nothing is counted then.
        """
        return self._counted(self._strangers_keys(request, login))

    def device(self, number: str) -> Attempt | None:
        """Count a guess from a known device; None where it has had its share of wrong ones."""
        try:
            return self._counted(((self._by_device, "login-device", number),))
        except TooManyError:
            return None

    def factor(self, login: str) -> Attempt:
        """Count a guess at a second factor, whose password was right.

        Raises
        ------
        TooManyError
            If there were as many as there may be.
        """
        return self._counted(((self._by_device, "login-factor", self._named(login)),))

    def give_back(self, attempt: Attempt) -> None:
        """It was no guess: it does not count."""
        for item, kind, one in attempt.keys:
            self._storage.incr(item.key_for(kind, one), item.get_expiry(), -1)

    def is_sprayed(self, password: str) -> bool:
        """Whether a password is being tried on many names now."""
        seen = self._passwords.get(self._fingerprint(password))
        return (
            seen is not None
            and len(seen.names) >= _MANY_NAMES
            and time.monotonic() - seen.since < _SPRAY_S
        )

    def missed(self, request: Request, login: str, password: str) -> int:
        """Note that a password did not fit.

        Returns
        -------
        int
            On how many names it has been tried, the first time that they are many; else 0.
        """
        seen = self._seen(password)
        seen.names.add(self._named(login))
        if len(seen.names) < _MANY_NAMES:
            return 0
        for item, kind, one in self._places(request):
            self._storage.incr(item.key_for(kind, one), item.get_expiry(), _SPRAY_WEIGHT)
        if seen.told:
            return 0
        seen.told = True
        return len(seen.names)

    def is_news(self, login: str) -> bool:
        """Whether it has not been said lately that a name is closed to strangers."""
        now, name = time.monotonic(), self._named(login)
        if self._told.get(name, 0.0) > now:
            return False
        if len(self._told) > _MOST_PASSWORDS:
            self._told = {one: until for one, until in self._told.items() if until > now}
        self._told[name] = now + self._by_name.get_expiry()
        return True

    def _seen(self, password: str) -> Sprayed:
        fingerprint, now = self._fingerprint(password), time.monotonic()
        seen = self._passwords.pop(fingerprint, None)
        if seen is None or now - seen.since > _SPRAY_S:
            seen = Sprayed(now)
        self._passwords[fingerprint] = seen
        if len(self._passwords) > _MOST_PASSWORDS:
            self._passwords.popitem(last=False)
        return seen

    def _require(self, keys: Keys) -> None:
        ends = [
            self._limiter.get_window_stats(item, kind, one).reset_time
            for item, kind, one in keys
            if not self._limiter.test(item, kind, one)
        ]
        if ends:
            raise TooManyError(_TOO_MANY, max(1.0, max(ends) - time.time()))

    def _counted(self, keys: Keys) -> Attempt:
        self._require(keys)
        for item, kind, one in keys:
            self._limiter.hit(item, kind, one)
        return Attempt(keys)

    def _strangers_keys(self, request: Request, login: str) -> Keys:
        return (
            (self._by_name, "login-name", self._named(login)),
            *self._places(request),
        )

    def _places(self, request: Request) -> Keys:
        if self._guard.is_trusted(request):
            return ()
        one, near = self._guard.client(request)
        return (
            (self._by_address, "login-address", one),
            (self._by_range, "login-range", near),
        )

    def _named(self, login: str) -> str:
        return self._guard.hashed(f"login {login.strip().casefold()}")

    def _fingerprint(self, password: str) -> str:
        return hmac.new(self._key, password.encode(), hashlib.sha256).hexdigest()[:16]
