"""The raster in a file that several processes map: the memory is held once."""

import mmap
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from gis.errors import GeometryError
from gis.locator.layout import Raster
from gis.whole_file import whole_file

__all__ = ["read", "write"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# "1GRIDLOC" as a number, and the layout's version: a file of another version is refused.
_MAGIC, _VERSION = 0x434F4C4449524731, 2


def write(path: Path, raster: Raster, bounds: Float, codes: list[str]) -> None:
    """Write a locator; a reader sees the old file or the whole new one."""
    text = np.frombuffer("\n".join(codes).encode(), np.uint8)
    with whole_file(path) as file:
        head = np.array([_MAGIC, _VERSION, len(codes), _checksum(text, bounds, *raster)])
        for array in (head, text, bounds, *raster):
            np.save(file, array, allow_pickle=False)


def read(path: Path) -> tuple[Raster, Float, list[str]]:
    """Map a locator's raster; read its bounds and codes.

    Raises
    ------
    GeometryError
        If the file is no locator of this version, or damaged.
    """
    try:
        with path.open("rb") as file:
            magic, version, *about = np.load(file, allow_pickle=False).tolist()
            if (magic, version) != (_MAGIC, _VERSION):
                raise GeometryError(f"{path} is of another version: build it again")
            count, checksum = about
            text, bounds = np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)
            raster = Raster(*[_mapped(path, file) for _ in Raster._fields])
    except (ValueError, TypeError, EOFError) as error:
        raise GeometryError(f"{path} is no locator ({error}): build it again") from error
    if _checksum(text, bounds, *raster) != checksum:
        raise GeometryError(f"{path} is damaged: build it again")
    for array in raster:
        _let_go(array)
    return raster, bounds, text.tobytes().decode().split("\n") if count else []


def _checksum(*arrays: NDArray[Any]) -> int:
    """A checksum as a number of 64 bits with a sign: against damage, not against malice."""
    digest = xxhash.xxh3_64()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return int(np.uint64(digest.intdigest()).astype(np.int64))


def _let_go(array: Int) -> None:
    """Each page was looked at once; what is asked for comes back, and the rest takes no memory."""
    mapped: Any = getattr(array.base, "base", None)
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED)


def _mapped(path: Path, file: BinaryIO) -> Int:
    """Map the array that begins here, and go on to the next."""
    np.lib.format.read_magic(file)
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
    start = file.tell()
    if not shape[0]:
        return np.empty(0, np.int64)
    words: Int = np.memmap(path, kind, "r", start, shape)
    file.seek(start + words.nbytes)
    return np.asarray(words)
