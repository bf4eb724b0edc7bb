"""What is held for long, and what is given back."""

import ctypes
import gc

__all__ = ["bound_arenas", "held_for_long"]

# Of mallopt(3).
_M_ARENA_MAX, _ARENAS = -8, 2


def held_for_long() -> None:
    """Let the garbage collector pass over everything that is held now.

    A directory is hundreds of thousands of objects. Walking through them each time that some
    ten thousand rows have come and gone took half of a bulk run.
    """
    gc.collect()
    gc.freeze()


def bound_arenas() -> None:
    """Let threads share a few of glibc's arenas; to be called before there are threads.

    By default there are eight for each core, and what a thread has freed stays in its own: papers
    and files that were needed once left 600 MB behind.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none
        mallopt(_M_ARENA_MAX, _ARENAS)
