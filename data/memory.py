"""What is held for long, and the garbage collector."""

import gc

__all__ = ["held_for_long"]


def held_for_long() -> None:
    """Let the garbage collector pass over everything that is held now.

    A directory is hundreds of thousands of objects. Walking through them each time that some
    ten thousand rows have come and gone took half of a bulk run.
    """
    gc.collect()
    gc.freeze()
