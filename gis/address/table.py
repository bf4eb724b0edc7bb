"""The known addresses of a county as arrays: which have a name, and which numbers they have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from gis.address.entry import Entry
from gis.address.forms import key_of, short_of, sound_of, spellings_of
from gis.address.normalize import is_chinese, normalize
from gis.address.numbers import SLOTS

__all__ = ["AddressTable", "Name"]

Rows = NDArray[np.int32]


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


@dataclass(frozen=True, slots=True)
class AddressTable:
    """The known addresses of a county; made once, never changed.

    Attributes
    ----------
    texts : pyarrow.Array of string
        As the source writes them.
    names, labels : list of str
        Roads and estates by number, as they are compared and as they are written.
    roads, estates : ndarray of int32, shape (n,)
        Number of the name, -1 for none.
    slots : dict of str to ndarray of int32, shape (n,)
        For each of `SLOTS` a number's index in `numbers`; 0 for none.
    communities : ndarray of int32, shape (n,)
        Index in `community_names`; -1 for none.
    spoken : ndarray of int32, shape (n,)
        Index in `localities`: which localities the address itself names.
    known : dict of str to Name
        Every form of every name and locality; `forms` lists them, `sounds` finds them by
        `sound_of`, `ordered` by what people begin to type.
    """

    texts: Any
    names: list[str]
    labels: list[str]
    roads: Rows
    estates: Rows
    slots: dict[str, Rows]
    numbers: list[str]
    communities: Rows
    community_names: list[str]
    spoken: Rows
    localities: list[tuple[str, ...]]
    known: dict[str, Name]
    forms: list[str]
    sounds: dict[str, tuple[str, ...]]
    ordered: list[tuple[str, str]]
    number_index: dict[str, int]
    _begins: NDArray[np.int64]
    _rows: Rows
    _hashes: NDArray[np.uint64]
    _by_hash: Rows
    longest: int = field(default=0)

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        entries: Iterable[Entry],
        *,
        communities: NDArray[np.int32] | None = None,
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
        count = len(texts)
        lists: dict[str, list[str]] = {slot: [] for slot in ("road", "estate", *SLOTS)}
        combination: dict[tuple[str, ...], int] = {}
        spoken = np.empty(count, np.int32)
        for row, one in enumerate(entries):
            lists["road"].append(one.road)
            lists["estate"].append(one.estate)
            for slot in SLOTS:
                lists[slot].append(one.numbers.get(slot))
            spoken[row] = combination.setdefault(one.localities, len(combination))
        names, labels, roads, estates = _coded_names(lists["road"], lists["estate"])
        numbers, slots = _coded_numbers(lists)
        where = np.full(count, -1, np.int32) if communities is None else communities
        begins, rows = _postings(roads, estates, len(names))
        hashes = np.fromiter(map(_hash, texts), np.uint64, count)
        by_hash = np.argsort(hashes, kind="stable").astype(np.int32)
        inside = _localities(list(combination), spoken, where, community_names)
        known = _forms(names, inside, [(_key(form), _key(name)) for form, name in aliases])
        return cls(
            texts=pa.array(texts, pa.string()),
            names=names,
            labels=labels,
            roads=roads,
            estates=estates,
            slots=slots,
            numbers=numbers,
            communities=where,
            community_names=list(community_names),
            spoken=spoken,
            localities=list(combination),
            known=known,
            forms=list(known),
            sounds=_sounds(known),
            ordered=_ordered(known),
            number_index={number: index for index, number in enumerate(numbers) if number},
            _begins=begins,
            _rows=rows,
            _hashes=hashes[by_hash],
            _by_hash=by_hash,
            longest=max(map(len, known), default=0),
        )

    def __len__(self) -> int:
        """How many addresses it holds."""
        return len(self.roads)

    def text(self, row: int) -> str:
        """An address as the source writes it."""
        held: str = self.texts[int(row)].as_py()
        return held

    def with_text(self, text: str) -> Rows:
        """Rows whose text is exactly this one."""
        code = np.uint64(_hash(text))
        begin, end = (int(np.searchsorted(self._hashes, code, side)) for side in ("left", "right"))
        found = [row for row in self._by_hash[begin:end] if self.text(row) == text]
        return np.array(found, np.int32)

    def with_name(self, name: int) -> Rows:
        """Rows on a road or in an estate, by its number; ascending."""
        return self._rows[self._begins[name] : self._begins[name + 1]]


def _key(name: str) -> str:
    return key_of(normalize(name))


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def _coded_names(roads: list[str], estates: list[str]) -> tuple[list[str], list[str], Rows, Rows]:
    """Names as they are compared and as they are first written, and their numbers by row."""
    label: dict[str, str] = {}
    code: dict[str, int] = {"": -1}
    number: dict[str, int] = {}
    for name in dict.fromkeys([*roads, *estates]):
        if name:
            key = key_of(name)
            label.setdefault(key, name)
            code[name] = number.setdefault(key, len(number))
    coded = [
        np.fromiter((code[one] for one in each), np.int32, len(each)) for each in (roads, estates)
    ]
    return list(label), list(label.values()), coded[0], coded[1]


def _coded_numbers(lists: dict[str, list[str]]) -> tuple[list[str], dict[str, Rows]]:
    index: dict[str, int] = {"": 0}
    slots = {
        slot: np.fromiter(
            (index.setdefault(one, len(index)) for one in lists[slot]), np.int32, len(lists[slot])
        )
        for slot in SLOTS
    }
    return list(index), slots


def _postings(roads: Rows, estates: Rows, names: int) -> tuple[NDArray[np.int64], Rows]:
    """Rows by name; an address that says one name twice stands there once."""
    rows = np.arange(len(roads), dtype=np.int32)
    second = estates >= 0
    second &= estates != roads
    first = roads >= 0
    keys = np.concatenate([roads[first], estates[second]])
    held = np.concatenate([rows[first], rows[second]])
    order = np.lexsort((held, keys))
    begins = np.searchsorted(keys[order], np.arange(names + 1))
    return begins, held[order]


def _localities(
    combinations: list[tuple[str, ...]], spoken: Rows, communities: Rows, names: Sequence[str]
) -> dict[str, set[int]]:
    """In which communities the addresses lie that name a locality; a community is in itself."""
    found: dict[str, set[int]] = {}
    pairs = np.unique(np.stack([spoken, communities]), axis=1)
    for combination, community in pairs.T.tolist():
        for one in combinations[combination]:
            found.setdefault(key_of(one), set()).add(community)
    for index, name in enumerate(names):
        found.setdefault(_key(name), set()).add(index)
    return found


def _forms(
    names: list[str], localities: dict[str, set[int]], aliases: Iterable[tuple[str, str]]
) -> dict[str, Name]:
    """Every form that a name is written in; one form may stand for several names."""
    held: dict[str, tuple[set[int], set[int]]] = {}
    for index, name in enumerate(names):
        held.setdefault(name, (set(), set()))[0].add(index)
    for name, inside in localities.items():
        held.setdefault(name, (set(), set()))[1].update(inside)
    known = {name: Name(_sorted(a), _sorted(b), 1.0) for name, (a, b) in held.items()}
    other: dict[str, tuple[set[int], set[int]]] = {}
    pairs = [(short_of(name), name) for name in known]
    for form, name in [*aliases, *pairs]:
        if form and form not in known and name in known:
            names_of, inside_of = other.setdefault(form, (set(), set()))
            names_of.update(known[name].names)
            inside_of.update(known[name].localities)
    known |= {form: Name(_sorted(a), _sorted(b), 0.9) for form, (a, b) in other.items()}
    return known


def _sorted(values: set[int]) -> tuple[int, ...]:
    return tuple(sorted(values))


def _sounds(known: dict[str, Name]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for form in known:
        if is_chinese(form):
            found.setdefault(sound_of(form), []).append(form)
    return {sound: tuple(forms) for sound, forms in found.items()}


def _ordered(known: dict[str, Name]) -> list[tuple[str, str]]:
    """What people may begin to type, with the name that it begins; in order."""
    made = set()
    for form, name in known.items():
        if not name.names:
            continue
        made.add((form, form))
        if is_chinese(form):
            made.update((spelling, form) for spelling in spellings_of(form))
    return sorted(made)
