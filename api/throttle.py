"""How often a stranger may do what costs others work."""

import threading
import time
from collections import OrderedDict, deque

from fastapi import Request

from gis.errors import OneGridError

__all__ = ["Throttle", "TooManyError"]


class TooManyError(OneGridError):
    """A stranger who has sent much in little time."""


class Throttle:
    """At most some requests from an address within a time; each process counts for itself.

    Parameters
    ----------
    most : int
    within_s : float
    """

    _HELD = 10_000

    def __init__(self, most: int, within_s: float) -> None:
        self._most, self._within_s = most, within_s
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        self._changing = threading.Lock()

    def count(self, request: Request) -> None:
        """Count a request.

        Raises
        ------
        TooManyError
            If there were as many as there may be.
        """
        address = request.client.host if request.client else ""
        now = time.monotonic()
        with self._changing:
            asked = self._asked.setdefault(address, deque())
            self._asked.move_to_end(address)
            while asked and asked[0] < now - self._within_s:
                asked.popleft()
            if len(asked) >= self._most:
                raise TooManyError(f"at most {self._most} in {self._within_s / 60:.0f} minutes")
            asked.append(now)
            if len(self._asked) > self._HELD:
                self._asked.popitem(last=False)
