"""What looking an address up finds, and in which area each known address lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.address.table import Rows

__all__ = ["Areas", "Lookup", "Option"]


@dataclass(frozen=True, slots=True)
class Areas:
    """In which area (grid) each known address lies.

    Attributes
    ----------
    first : ndarray of int32, shape (n,)
        -1 outside every area.
    more : dict of int to tuple of int
        Further areas of a row whose building several share.
    """

    first: NDArray[np.int32]
    more: dict[int, tuple[int, ...]]

    def of(self, rows: Rows) -> tuple[int, ...]:
        """All areas of some rows, ascending."""
        found = set(np.unique(self.first[rows]).tolist())
        if self.more:
            for row in self.more.keys() & set(rows.tolist()):
                found.update(self.more[row])
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a question: what it says, and an address to ask with instead."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is known of a typed address.

    Attributes
    ----------
    level : str
        How closely it matches a known address: one of `LEVELS`, empty where nothing does.
    score : float
        From 0 to 1: how much of what was typed is so in a known address.
    rows : ndarray of int32
        The known addresses that it fits.
    areas : tuple of int
        Their areas; the answer where `is_certain`.
    is_certain : bool
        Whether it is one area and nothing was guessed.
    asked : str
        What decides: ``name``, ``community``, ``door``, ``building``, ``unit``, ``room``; ``area``
        where only the area itself does; ``confirm`` where only a yes is wanting.
    options : tuple of Option
        What may be answered, in order.
    readings : tuple of (str, str)
        What was typed, and the known name that it was taken for.
    is_beside : bool
        Whether a place beside the address was typed: 对面, 东600米.
    has_more : bool
        Whether there are more options than are listed.
    """

    level: str
    score: float
    rows: Rows
    areas: tuple[int, ...]
    is_certain: bool
    asked: str = ""
    options: tuple[Option, ...] = ()
    readings: tuple[tuple[str, str], ...] = ()
    is_beside: bool = False
    has_more: bool = False
