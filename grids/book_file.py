"""An address book in a file that all processes of a machine map: its memory is held once."""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from gis.address import SLOTS, AddressTable, Areas, TableColumns, TableFacts
from gis.columns import map_columns, write_columns
from gis.errors import ColumnsError
from grids.address_book import AddressBook
from grids.book_loading import book_version, load_book
from grids.places import Places

__all__ = ["alone", "kept_book", "latest_book", "make_book"]

# Of what the columns are and mean: a file of another one is made anew.
_LAYOUT = 2
_SUFFIX = ".addresses"
_LOOK_S = 0.2


def kept_book(folder: Path, version: str, places: Places) -> AddressBook | None:
    """The book of these addresses and these grids, mapped; None where it has not been made.

    Parameters
    ----------
    folder : Path
    version : str
        Of the addresses, as `book_version` tells it.
    places : Places
    """
    mark = _mark_of(version, places)
    path = _path(folder, places.county, mark)
    if not path.exists():
        return None
    held = _mapped(path)
    if held is None or held[1].get("of") != mark:  # renamed, or restored from elsewhere
        path.unlink(missing_ok=True)
        return None
    return _book(version, places, *held)


def latest_book(folder: Path, places: Places) -> AddressBook | None:
    """A book with these grids of whatever addresses it was made of; None where there is none."""
    for path in folder.glob(f"{places.county}-*{_SUFFIX}"):
        held = _mapped(path)
        version = "" if held is None else held[1].get("version", "")
        if held is not None and held[1].get("of") == _mark_of(version, places):
            return _book(version, places, *held)
    return None


def _mapped(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    try:
        return map_columns(path)
    except (ColumnsError, FileNotFoundError):  # cut off, as by a full disk; or dropped meanwhile
        return None


def _book(
    version: str, places: Places, columns: dict[str, Any], about: dict[str, Any]
) -> AddressBook:
    table = AddressTable(TableColumns.of(columns), TableFacts.of(about["facts"]))
    straddling = {row: tuple(codes) for row, codes in about["straddling"]}
    areas = Areas(columns["areas"], _lists_of(columns["more"]))
    lon, lat = columns["lon"], columns["lat"]
    return AddressBook(version, table, columns["ids"], lon, lat, straddling, areas, places, places)


def make_book(session: Session, places: Places, folder: Path) -> None:
    """Make the book's file, unless it has been made meanwhile; drop those before it."""
    mark = _mark_of(book_version(session, places.county), places)
    if _path(folder, places.county, mark).exists():
        return
    book = load_book(session, places)
    mark = _mark_of(book.version, places)
    path = _path(folder, places.county, mark)
    columns, about = _columns(book)
    write_columns(path, columns, about | {"of": mark, "version": book.version})
    for old in folder.glob(f"{places.county}-*{_SUFFIX}"):
        if old != path:
            old.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, county: str, until: Callable[[], bool]) -> Iterator[None]:
    """Within the block, no other process makes the county's book, or `until` has become true."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{county}{_SUFFIX}.lock").open("w") as file:
        while not until():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOOK_S)
            else:
                break
        yield


def _columns(book: AddressBook) -> tuple[dict[str, Any], dict[str, Any]]:
    columns = book.table.columns.told() | {
        "ids": book.ids,
        "lon": book.lon,
        "lat": book.lat,
        "areas": book.areas.first,
        "more": _pairs_of(book.areas.more),
    }
    straddling = [(row, codes) for row, codes in book.straddling.items()]
    return columns, {"facts": book.table.facts.told(), "straddling": straddling}


def _path(folder: Path, county: str, mark: str) -> Path:
    return folder / f"{county}-{mark}{_SUFFIX}"


def _mark_of(version: str, places: Places) -> str:
    """A mark of the book of these addresses and grids; another one has another."""
    digest = xxhash.xxh3_128()
    for part in (_LAYOUT, SLOTS, version, *_told(places)):
        digest.update(repr(part).encode())
    return digest.hexdigest()


def _told(places: Places) -> Iterator[Any]:
    """Everything of a plan that decides in which grids an address lies, and how they are called."""
    yield places.grids.mark
    for facts in places.facts.values():
        yield facts.id, facts.code, facts.community, facts.community_name
    yield places.buildings.mark if places.buildings is not None else ""
    yield sorted(places.building_grids.items())
    yield sorted(places.address_grids.items())


def _pairs_of(lists: Mapping[int, tuple[int, ...]]) -> NDArray[np.int32]:
    """Key and value of each entry, shape (n, 2)."""
    pairs = [(key, value) for key, values in lists.items() for value in values]
    return np.array(pairs, np.int32).reshape(-1, 2)


def _lists_of(pairs: NDArray[np.int32]) -> dict[int, tuple[int, ...]]:
    held: dict[int, tuple[int, ...]] = {}
    for key, value in pairs.tolist():
        held[key] = (*held.get(key, ()), value)
    return held
