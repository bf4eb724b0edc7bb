"""The known addresses of a county as arrays: which have a name, and which numbers they have."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gis.address.entry import Entry
from gis.address.forms import sound_of
from gis.address.numbers import SLOTS
from gis.address.table_building import TableBuilder, hash_of
from gis.address.table_columns import Rows, TableColumns, TableFacts

__all__ = ["AddressTable", "Name", "Rows"]


@dataclass(frozen=True, slots=True)
class Name:
    """What a name may stand for.

    Attributes
    ----------
    names : tuple of int
        Numbers of roads and estates.
    localities : tuple of int
        Numbers of the communities that the name lies in or is, where it names a locality.
    quality : float
        1 for a name as it is written, less for another form of it.
    """

    names: tuple[int, ...]
    localities: tuple[int, ...]
    quality: float


class AddressTable:
    """The known addresses of a county; made once, never changed.

    Parameters
    ----------
    columns : TableColumns
        Mapped ones are shared with whoever maps them too.
    facts : TableFacts

    Attributes
    ----------
    roads, estates : ndarray of int32, shape (n,)
        Number of the name, -1 for none.
    slots : dict of str to ndarray of int32, shape (n,)
        For each of `SLOTS` a number's index in `numbers`; 0 for none.
    numbers : list of str
    number_index : dict of str to int
    communities : ndarray of int32, shape (n,)
        Index in `community_names`; -1 for none.
    spoken : ndarray of int32, shape (n,)
        Index in `localities`: which localities the address itself names.
    forms : list of str
        Every form of every name and locality.
    longest : int
        Characters of the longest form.
    """

    def __init__(self, columns: TableColumns, facts: TableFacts) -> None:
        self.columns, self.facts = columns, facts
        self.roads, self.estates = columns.roads, columns.estates
        self.slots: dict[str, Rows] = dict(zip(SLOTS, columns.slots, strict=True))
        self.numbers = facts.numbers
        self.number_index = {number: at for at, number in enumerate(facts.numbers) if number}
        self.communities, self.community_names = columns.communities, facts.community_names
        self.spoken, self.localities = columns.spoken, facts.localities
        # Texts are compared with all of them at once, and each piece of a text is looked for.
        self.forms: list[str] = columns.forms.to_pylist()
        self._form_index = {form: at for at, form in enumerate(self.forms)}
        self.longest = max(map(len, self.forms), default=0)

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        entries: Iterable[Entry],
        *,
        communities: Rows | None = None,
        community_names: Sequence[str] = (),
        aliases: Iterable[tuple[str, str]] = (),
    ) -> "AddressTable":
        """Build the table.

        Parameters
        ----------
        texts : sequence of str, length n
        entries : iterable of Entry, length n
            Of the same addresses.
        communities : ndarray of int32, shape (n,), optional
            In which of the named communities an address lies; -1 for none.
        community_names : sequence of str
        aliases : iterable of (str, str)
            Other names 俗称 and the names that they stand for.
        """
        builder = TableBuilder()
        for text, entry in zip(texts, entries, strict=True):
            builder.add(text, entry)
        return cls(*builder.finish(communities, community_names, aliases))

    def __len__(self) -> int:
        """How many addresses it holds."""
        return len(self.roads)

    @property
    def name_count(self) -> int:
        """How many roads and estates it knows."""
        return len(self.columns.names)

    def texts(self) -> Iterator[str]:
        """All addresses as the source writes them."""
        for part in range(0, len(self), 10_000):
            yield from self.columns.texts[part : part + 10_000].to_pylist()

    def text(self, row: int) -> str:
        """An address as the source writes it."""
        held: str = self.columns.texts[int(row)].as_py()
        return held

    def name(self, number: int) -> str:
        """A road or estate as it is compared."""
        held: str = self.columns.names[int(number)].as_py()
        return held

    def label(self, number: int) -> str:
        """A road or estate as it is written."""
        held: str = self.columns.labels[int(number)].as_py()
        return held

    def known(self, form: str) -> Name | None:
        """What a form of a name may stand for; None where nothing is called so."""
        at = self._form_index.get(form)
        return None if at is None else self._meaning(at)

    def meaning(self, form: str) -> Name:
        """What one of `forms` may stand for."""
        return self._meaning(self._form_index[form])

    def _meaning(self, at: int) -> Name:
        held = self.columns
        return Name(
            _list(held.form_name_begins, held.form_names, at),
            _list(held.form_place_begins, held.form_places, at),
            float(held.form_quality[at]),
        )

    def sounding_as(self, name: str) -> list[str]:
        """Forms that sound as a name does."""
        sound = sound_of(name)
        rows = _equal(self.columns.sound_hashes, hash_of(sound))
        found = (self.forms[at] for at in self.columns.sound_forms[rows].tolist())
        return [form for form in found if sound_of(form) == sound]

    def beginning_with(self, begun: str, most: int) -> Iterator[str]:
        """Forms of names that are typed so and on, at most so many; one may be typed in ways."""
        spellings = self.columns.spellings
        at = bisect_left(range(len(spellings)), begun, key=lambda row: spellings[row].as_py())
        for row in range(at, min(at + most, len(spellings))):
            if not spellings[row].as_py().startswith(begun):
                return
            yield self.forms[int(self.columns.spelling_forms[row])]

    def with_text(self, text: str) -> Rows:
        """Rows whose text is exactly this one."""
        rows = self.columns.text_rows[_equal(self.columns.text_hashes, hash_of(text))]
        return np.array([row for row in rows if self.text(row) == text], np.int32)

    def with_name(self, name: int) -> Rows:
        """Rows on a road or in an estate, by its number; ascending."""
        begins = self.columns.name_begins
        return self.columns.name_rows[begins[name] : begins[name + 1]]


def _list(begins: Rows, values: Rows, at: int) -> tuple[int, ...]:
    return tuple(values[begins[at] : begins[at + 1]].tolist())


def _equal(hashes: "np.ndarray[tuple[int], np.dtype[np.uint64]]", code: int) -> slice:
    """Where in ascending hashes one stands."""
    sought = np.uint64(code)
    begin, end = (int(np.searchsorted(hashes, sought, side)) for side in ("left", "right"))
    return slice(begin, end)
