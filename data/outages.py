"""What is away says so once with its reason, then counts, and says once that it is back.

Whatever tries again and again (threads, the queue, carriers of notices) tells its failures here,
not the log: an outage of half a minute would be a thousand lines else.
"""

import threading
import time
from collections.abc import Callable, Hashable

from data.log import LOG
from data.log_lines import stamp

__all__ = ["DATABASE", "Outage"]

# A line as long as it lasts, and how long after the last failure it is taken for another outage.
_EVERY_S = 300.0


class Outage:
    """Something that may be away.

    Parameters
    ----------
    begins, lasts, ends : str
        What is said when it begins, now and then while it lasts, and when it is over.
    facts : object
        Told with each of them.
    every_s : float
        How often it is said that it lasts.
    clock : callable
        Monotonic, in seconds.
    """

    def __init__(
        self,
        begins: str,
        lasts: str,
        ends: str,
        *,
        facts: dict[str, object] | None = None,
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begins, self._lasts, self._ends = begins, lasts, ends
        self._facts, self._every_s, self._clock = facts or {}, every_s, clock
        self._lock = threading.Lock()
        self._failing: set[Hashable] = set()
        self._attempts = 0
        self._since_s = self._last_s = self._told_s = 0.0
        self._since = ""

    @property
    def is_on(self) -> bool:
        """Whether it lasts."""
        return self._attempts > 0

    def failed(self, reason: str, who: Hashable = None) -> None:
        """Count a failure, and tell of it where it is the first or none was told of for long.

        Parameters
        ----------
        who : hashable
            Who has failed: it is over once each of them is well.
        """
        with self._lock:
            now = self._clock()
            is_new = not self._attempts or now - self._last_s > self._every_s
            if is_new:
                self._failing.clear()
                self._attempts = 0
                self._since_s, self._since = now, stamp(time.time())
            self._failing.add(who)
            self._attempts += 1
            self._last_s = now
            if is_new:
                self._told_s = now
                LOG.warning(self._begins, reason=reason, **self._facts)
            elif now - self._told_s >= self._every_s:
                self._told_s = now
                LOG.warning(self._lasts, reason=reason, **self._facts, **self._counts())

    def well(self, who: Hashable = None) -> None:
        """Say that something works for one who has failed; it is over with the last of them."""
        if who not in self._failing:
            return
        with self._lock:
            self._failing.discard(who)
            if self._failing or not self._attempts:
                return
            lasted_s = round(self._clock() - self._since_s, 1)
            LOG.warning(self._ends, **self._facts, **self._counts(), lasted_s=lasted_s)
            self._attempts = 0

    def forget(self, who: Hashable = None) -> None:
        """Ask no more whether it is over for one who has ended."""
        with self._lock:
            self._failing.discard(who)
            if not self._failing:
                self._attempts = 0

    def _counts(self) -> dict[str, object]:
        return {"attempts": self._attempts, "since": self._since}


# All of a process that ask the database tell of it together.
DATABASE = Outage(
    "the database does not answer",
    "the database still does not answer",
    "the database answers again",
)
