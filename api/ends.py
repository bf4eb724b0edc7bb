"""How a process ended, in words."""

import signal

__all__ = ["how_it_ended", "when_again", "why_no_start"]


def how_it_ended(status: int, pause_s: float) -> str:
    """How a process has ended, and when it is started again.

    Parameters
    ----------
    status : int
        Its exit code; the negative number of the signal that ended it.
    pause_s : float

    Examples
    --------
    >>> how_it_ended(-9, 0)
    'has ended (signal SIGKILL): it is started again at once'
    >>> how_it_ended(70, 0.5)
    'has ended (code 70): it is started again in 0.5 s'
    """
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"code {status}"
    return f"has ended ({how}): {when_again(pause_s)}"


def why_no_start(error: OSError, pause_s: float) -> str:
    """Why a process does not start, as for want of memory, and when it is tried again."""
    return f"does not start ({error.strerror}): {when_again(pause_s)}"


def when_again(pause_s: float) -> str:
    """When something that has ended is started again, in words."""
    return f"it is started again {f'in {pause_s:g} s' if pause_s else 'at once'}"
