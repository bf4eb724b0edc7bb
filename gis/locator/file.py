"""The raster in a file that several processes map: the memory is held once."""

import struct
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from gis.errors import GeometryError
from gis.locator.layout import Raster
from gis.whole_file import whole_file

__all__ = ["read", "write"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# "1GRIDLOC" as a number, and the layout's version: a file of another version is refused. Then the
# checksum of all that follows: against damage, not against malice.
_MAGIC, _VERSION = 0x434F4C4449524731, 2
_HEAD = struct.Struct("<QQQ")
_PART = 1 << 20


def write(path: Path, raster: Raster, bounds: Float, codes: list[str]) -> None:
    """Write a locator; a reader sees the old file or the whole new one."""
    text = np.frombuffer("\n".join(codes).encode(), np.uint8)
    with whole_file(path) as file:
        file.write(_HEAD.pack(_MAGIC, _VERSION, 0))
        for array in (np.array([len(codes)]), text, bounds, *raster):
            np.save(file, array, allow_pickle=False)
        checksum = _checksum_of_rest(file)
        file.seek(0)
        file.write(_HEAD.pack(_MAGIC, _VERSION, checksum))


def read(path: Path) -> tuple[Raster, Float, list[str]]:
    """Map a locator's raster; read its bounds and codes.

    Raises
    ------
    GeometryError
        If the file is no locator of this version, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        magic, version, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0, 0)
        if (magic, version) != (_MAGIC, _VERSION):
            raise GeometryError(f"{path} is no locator of this version: build it again")
        if _checksum_of_rest(file) != checksum:
            raise GeometryError(f"{path} is damaged: build it again")
        file.seek(_HEAD.size)
        (count,) = np.load(file, allow_pickle=False).tolist()
        text, bounds = np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)
        raster = Raster(*[_mapped(path, file) for _ in Raster._fields])
    return raster, bounds, text.tobytes().decode().split("\n") if count else []


def _checksum_of_rest(file: IO[bytes]) -> int:
    digest = xxhash.xxh3_64()
    file.seek(_HEAD.size)
    while part := file.read(_PART):
        digest.update(part)
    return digest.intdigest()


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
