"""What an address table consists of: columns that processes may map together, and a few facts."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gis.columns import Column

__all__ = ["Rows", "TableColumns", "TableFacts"]

Rows = NDArray[np.int32]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What does not grow with the addresses; see `AddressTable`."""

    numbers: list[str]
    community_names: list[str]
    localities: list[tuple[str, ...]]

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From JSON."""
        localities = [tuple(names) for names in told["localities"]]
        return cls(told["numbers"], told["community_names"], localities)


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns of n addresses, m names and f forms.

    Attributes
    ----------
    texts : pyarrow.Array of large_string, length n
    names, labels : pyarrow.Array of large_string, length m
    roads, estates, communities, spoken : ndarray of int32, shape (n,)
    slots : ndarray of int32, shape (5, n)
        In the order of `SLOTS`.
    name_begins : ndarray of int32, shape (m + 1,)
    name_rows : ndarray of int32
        Addresses with name i are ``name_rows[name_begins[i]:name_begins[i + 1]]``, ascending.
    text_hashes, text_rows : ndarray of uint64 and int32, shape (n,)
        Ascending hashes of the texts, and the address of each.
    forms : pyarrow.Array of large_string, length f
    form_quality : ndarray of float64, shape (f,)
    form_name_begins, form_place_begins : ndarray of int32, shape (f + 1,)
    form_names, form_places : ndarray of int32
        Names and communities that form i may stand for, in the same way.
    sound_hashes, sound_forms : ndarray of uint64 and int32
        Ascending hashes of the sounds of Chinese forms, and the form of each.
    spellings : pyarrow.Array of large_string
        What people may begin to type, ascending.
    spelling_forms : ndarray of int32
        The form of each.
    """

    texts: Column
    names: Column
    labels: Column
    roads: Rows
    estates: Rows
    communities: Rows
    spoken: Rows
    slots: Rows
    name_begins: Rows
    name_rows: Rows
    text_hashes: Hashes
    text_rows: Rows
    forms: Column
    form_quality: NDArray[np.float64]
    form_name_begins: Rows
    form_names: Rows
    form_place_begins: Rows
    form_places: Rows
    sound_hashes: Hashes
    sound_forms: Rows
    spellings: Column
    spelling_forms: Rows

    def told(self) -> dict[str, Column]:
        """The columns by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, columns: Mapping[str, Column]) -> Self:
        """From columns by their names."""
        return cls(**{field.name: columns[field.name] for field in fields(cls)})
