"""Work dealt to processes in batches: each large enough to outweigh the sending; pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["in_batches"]

T = TypeVar("T")


def in_batches(items: Iterable[T], weigh: Callable[[T], int], least: int) -> Iterator[list[T]]:
    """Deal items in order into batches that weigh at least so much, but for the last.

    Examples
    --------
    >>> list(in_batches([3, 4, 9, 1], lambda one: one, 5))
    [[3, 4], [9], [1]]
    """
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += weigh(item)
        if held >= least:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
