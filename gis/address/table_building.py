"""Building an address table, an address at a time: what is held meanwhile is mostly numbers."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from gis.address.entry import Entry
from gis.address.forms import key_of, short_of, sound_of, spellings_of
from gis.address.normalize import is_chinese, normalize
from gis.address.numbers import SLOTS
from gis.address.table_columns import Rows, TableColumns, TableFacts
from gis.columns import Column

__all__ = ["TableBuilder", "hash_of"]

# How many forms are held as texts before they become a column.
_CHUNK = 20_000
# How far a form is trusted that is not the name as it is written.
_OTHER_FORM = 0.9
# What a form may stand for: numbers of names, and of communities. Most stand for one name, and a
# set of one takes four times the memory of a tuple.
_Meaning = tuple[tuple[int, ...], tuple[int, ...]]


def hash_of(text: str) -> int:
    """The hash by which texts and sounds are found."""
    return xxhash.xxh3_64_intdigest(text.encode())


class TableBuilder:
    """Takes addresses in order, and makes the table of them."""

    def __init__(self) -> None:
        # As Arrow has them: each text ends where the next begins.
        self._text_bytes, self._text_ends = bytearray(), array("q", [0])
        self._hashes = array("Q")
        self._labels: dict[str, str] = {}
        self._numbers: dict[str, int] = {"": 0}
        self._name_of: dict[str, int] = {"": -1}
        self._name_index: dict[str, int] = {}
        self._spoken_index: dict[tuple[str, ...], int] = {}
        self._roads, self._estates, self._spoken = array("i"), array("i"), array("i")
        self._slots = [array("i") for _ in SLOTS]

    def __len__(self) -> int:
        """How many addresses there are so far."""
        return len(self._roads)

    def add(self, text: str, entry: Entry) -> None:
        """Take the next address, as its source writes it and taken apart."""
        self._text_bytes += text.encode()
        self._text_ends.append(len(self._text_bytes))
        self._hashes.append(hash_of(text))
        self._roads.append(self._name(entry.road))
        self._estates.append(self._name(entry.estate))
        localities = entry.localities
        self._spoken.append(self._spoken_index.setdefault(localities, len(self._spoken_index)))
        for slot, codes in zip(SLOTS, self._slots, strict=True):
            number = entry.numbers.get(slot)
            codes.append(self._numbers.setdefault(number, len(self._numbers)))

    def finish(
        self,
        communities: Rows | None = None,
        community_names: Sequence[str] = (),
        aliases: Iterable[tuple[str, str]] = (),
    ) -> tuple[TableColumns, TableFacts]:
        """The table's columns and facts; for the parameters see `AddressTable.build`."""
        where = np.full(len(self), -1, np.int32) if communities is None else communities
        roads, estates, spoken = map(_numbers, (self._roads, self._estates, self._spoken))
        said = list(self._spoken_index)
        inside = _localities(said, spoken, where, community_names)
        names = list(self._labels)
        meanings, qualities = _forms(
            names, inside, [(_key(form), _key(name)) for form, name in aliases]
        )
        forms = list(meanings)
        begins, rows = _postings(roads, estates, len(names))
        hashes = np.frombuffer(self._hashes, np.uint64)
        by_hash = np.argsort(hashes, kind="stable").astype(np.int32)
        sound_hashes, sound_forms = _sounds(forms)
        spellings, spelling_forms = _spellings(forms, meanings)
        columns = TableColumns(
            texts=self.texts(),
            names=_column(names),
            labels=_column(list(self._labels.values())),
            roads=roads,
            estates=estates,
            communities=where,
            spoken=spoken,
            slots=np.array([_numbers(codes) for codes in self._slots], np.int32),
            name_begins=begins,
            name_rows=rows,
            text_hashes=hashes[by_hash],
            text_rows=by_hash,
            forms=_column(forms),
            form_quality=qualities,
            **_lists("form_name_begins", "form_names", [names for names, _ in meanings.values()]),
            **_lists("form_place_begins", "form_places", [held for _, held in meanings.values()]),
            sound_hashes=sound_hashes,
            sound_forms=sound_forms,
            spellings=spellings,
            spelling_forms=spelling_forms,
        )
        return columns, TableFacts(list(self._numbers), list(community_names), said)

    def texts(self) -> Column:
        """The texts so far; none can be added any more."""
        ends, held = pa.py_buffer(self._text_ends), pa.py_buffer(self._text_bytes)
        return pa.LargeStringArray.from_buffers(len(self), ends, held)

    def _name(self, name: str) -> int:
        number = self._name_of.get(name)
        if number is None:
            key = key_of(name)
            self._labels.setdefault(key, name)
            number = self._name_index.setdefault(key, len(self._name_index))
            self._name_of[name] = number
        return number


def _key(name: str) -> str:
    return key_of(normalize(name))


def _column(texts: Sequence[str]) -> Column:
    return pa.array(texts, pa.large_string())


def _numbers(codes: "array[int]") -> Rows:
    return np.frombuffer(codes, np.int32) if codes else np.empty(0, np.int32)


def _lists(begins: str, values: str, lists: Sequence[tuple[int, ...]]) -> dict[str, Rows]:
    """Lists one behind another, and where they begin, under these names."""
    starts = np.zeros(len(lists) + 1, np.int32)
    np.cumsum([len(each) for each in lists], out=starts[1:])
    held = np.fromiter((one for each in lists for one in each), np.int32, int(starts[-1]))
    return {begins: starts, values: held}


def _postings(roads: Rows, estates: Rows, names: int) -> tuple[Rows, Rows]:
    """Rows by name; an address that says one name twice stands there once."""
    rows = np.arange(len(roads), dtype=np.int32)
    second = estates >= 0
    second &= estates != roads
    first = roads >= 0
    keys = np.concatenate([roads[first], estates[second]])
    held = np.concatenate([rows[first], rows[second]])
    order = np.lexsort((held, keys))
    begins = np.searchsorted(keys[order], np.arange(names + 1)).astype(np.int32)
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
) -> tuple[dict[str, _Meaning], NDArray[np.float64]]:
    """Every form that a name is written in, and its quality; one may stand for several names."""
    known: dict[str, _Meaning] = {name: ((index,), ()) for index, name in enumerate(names)}
    for name, inside in localities.items():
        known[name] = (known.get(name, ((), ()))[0], tuple(sorted(inside)))
    other: dict[str, _Meaning] = {}
    pairs = ((short_of(name), name) for name in known)
    for form, name in chain(aliases, pairs):
        if form and form not in known and name in known:
            other[form] = _both(other.get(form, ((), ())), known[name])
    quality = np.ones(len(known) + len(other))
    quality[len(known) :] = _OTHER_FORM
    return known | other, quality


def _both(one: _Meaning, other: _Meaning) -> _Meaning:
    return tuple(sorted({*one[0], *other[0]})), tuple(sorted({*one[1], *other[1]}))


def _sounds(forms: list[str]) -> tuple[NDArray[np.uint64], Rows]:
    chinese = np.array([at for at, form in enumerate(forms) if is_chinese(form)], np.int32)
    hashes = np.fromiter((hash_of(sound_of(forms[at])) for at in chinese), np.uint64, len(chinese))
    order = np.argsort(hashes, kind="stable")
    return hashes[order], chinese[order]


def _spellings(forms: list[str], meanings: dict[str, _Meaning]) -> tuple[Column, Rows]:
    """What people may begin to type, with the name that it begins; in order."""
    parts, of_form = [], array("i")
    for begin in range(0, len(forms), _CHUNK):
        held: list[str] = []
        for at, form in enumerate(forms[begin : begin + _CHUNK], begin):
            if meanings[form][0]:
                typed = {form, *(spellings_of(form) if is_chinese(form) else ())}
                held += typed
                of_form.extend([at] * len(typed))
        parts.append(_column(held))
    column = pa.concat_arrays(parts) if parts else _column([])
    # By their bytes, which in UTF-8 is by their characters.
    order = pc.sort_indices(column)
    return column.take(order), _numbers(of_form)[order.to_numpy()]
