"""How long to wait before something that ended is started again."""

import time
from collections.abc import Callable

__all__ = ["FIRST_PAUSE_S", "Lives"]

# What lives shorter than this was not well when it started.
_SHORT_LIFE_S = 5.0
FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0


class Lives:
    """The lives, one after another, of something that is started again when it ends.

    The pause between two of them doubles with each life that was short; after a longer one there
    is none.

    Parameters
    ----------
    clock : callable, optional
        Seconds; monotonic.

    Attributes
    ----------
    began_s : float
        When its present life began, by the clock.
    pause_s : float
        The pause after the last life.

    Examples
    --------
    >>> at = iter([0, 1, 1, 2.5, 3, 60]).__next__
    >>> lives = Lives(at)  # begins at 0
    >>> lives.end(), lives.begin(), lives.end(), lives.begin(), lives.end()
    (0.5, None, 1.0, None, 0.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.began_s = clock()
        self._due_s = 0.0
        self.pause_s = 0.0

    def begin(self) -> None:
        """Note that it lives from now on."""
        self.began_s = self._clock()

    def end(self) -> float:
        """Note that it has ended; the pause before its next life, in seconds."""
        now = self._clock()
        if now - self.began_s >= _SHORT_LIFE_S:
            self.pause_s = 0.0
        else:
            self.pause_s = min(max(FIRST_PAUSE_S, self.pause_s * 2), _LONGEST_PAUSE_S)
        self._due_s = now + self.pause_s
        return self.pause_s

    @property
    def is_due(self) -> bool:
        """Whether the pause after the last life is over."""
        return self._clock() >= self._due_s
