"""Waiting for file descriptors, whatever their numbers are."""

import select
from collections.abc import Iterable

__all__ = ["wait_for_any"]


def wait_for_any(descriptors: Iterable[int], seconds: float) -> bool:
    """Wait until one of them can be read or has ended; whether one has, within so many seconds.

    ``select`` knows no number from 1,024 on, and a server has more connections than that.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
