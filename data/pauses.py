"""How long to wait before something that ended is started again."""

__all__ = ["FIRST_PAUSE_S", "pause_after"]

# What lives shorter than this was not well when it started.
_SHORT_LIFE_S = 5.0
FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0


def pause_after(lived_s: float, previous_s: float) -> float:
    """How long to wait before something that ended is started again, in seconds.

    Parameters
    ----------
    lived_s : float
        How long it lived.
    previous_s : float
        The pause before that life.

    Examples
    --------
    >>> pause_after(60, 8), pause_after(1, 0), pause_after(1, 0.5), pause_after(1, 8)
    (0.0, 0.5, 1.0, 8.0)
    """
    if lived_s >= _SHORT_LIFE_S:
        return 0.0
    return min(max(FIRST_PAUSE_S, previous_s * 2), _LONGEST_PAUSE_S)
