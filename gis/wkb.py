"""How deep shapes lie in each other in WKB, told without reading them.

Readers of WKB call themselves for each collection in a collection: thousands of them end the
process. They are counted before anything reads them.
"""

import struct
from collections.abc import Sequence

__all__ = ["DEEPEST", "is_shallow", "shallow"]

# A collection of collections of multipolygons is more than any file of a city has.
DEEPEST = 8
# A circular string is laid out as a line; what else is round, of shapes, as a collection is.
_POINT, _LINES, _POLYGON = 1, frozenset({2, 8}), 3
_COLLECTIONS = frozenset({4, 5, 6, 7, 9, 10, 11, 12})
_ORDERS = {b"\x00": ">", b"\x01": "<"}
# Flags of EWKB.
_HAS_Z, _HAS_M, _HAS_SRID = 0x80000000, 0x40000000, 0x20000000


def shallow(shapes: Sequence[bytes | None]) -> list[bytes | None]:
    """Shapes as WKB, None for each that is not shallow (`is_shallow`).

    Examples
    --------
    >>> point = bytes.fromhex("0101000000000000000000f03f0000000000000040")
    >>> nest = bytes.fromhex("010700000001000000")
    >>> [one is None for one in shallow([point, nest + point, nest * 9 + point, None])]
    [False, False, True, True]
    """
    return [one if one is not None and is_shallow(one) else None for one in shapes]


def is_shallow(wkb: bytes) -> bool:
    """Whether at most `DEEPEST` collections lie in each other, each part where it should.

    What is no collection is left to the reader, however broken it is: it calls itself for none.

    Parameters
    ----------
    wkb : bytes
        WKB of ISO, or EWKB.
    """
    if len(wkb) < 5:
        return True
    try:
        return _head(wkb, 0)[0] not in _COLLECTIONS or _is_shallow_collection(wkb)
    except struct.error:  # it is cut off, or of no known order of bytes
        return False


def _is_shallow_collection(wkb: bytes) -> bool:
    at, waiting = 0, [1]
    while waiting:
        if waiting[-1] == 0:
            waiting.pop()
            continue
        waiting[-1] -= 1
        kind, order, start, width = _head(wkb, at)
        if kind in _COLLECTIONS:
            if len(waiting) > DEEPEST:
                return False
            (count,) = struct.unpack_from(f"{order}I", wkb, start)
            # A part has nine bytes at least: so many parts fit.
            if count > len(wkb) // 9:
                return False
            waiting.append(count)
            at = start + 4
        elif kind in {_POINT, _POLYGON, *_LINES}:
            at = _end(wkb, kind, order, start, width)
        else:
            return False
    return True


def _head(wkb: bytes, at: int) -> tuple[int, str, int, int]:
    """The kind of a shape, its order of bytes, where its content begins, bytes of a vertex.

    The number of the kind is taken apart as GEOS does, so that it sees no other kind.
    """
    order = _ORDERS.get(wkb[at : at + 1])
    if order is None:
        raise struct.error("no order of bytes")
    (said,) = struct.unpack_from(f"{order}I", wkb, at + 1)
    start = at + 5 + (4 if said & _HAS_SRID else 0)
    iso, kind = divmod(said & 0xFFFF, 1000)
    numbers = 2 + (bool(said & _HAS_Z) or iso in {1, 3}) + (bool(said & _HAS_M) or iso in {2, 3})
    return kind, order, start, numbers * 8


def _end(wkb: bytes, kind: int, order: str, start: int, width: int) -> int:
    """Where a point, line or polygon ends."""
    if kind == _POINT:
        return start + width
    (count,) = struct.unpack_from(f"{order}I", wkb, start)
    if kind in _LINES:
        return start + 4 + int(count) * width
    at = start + 4
    for _ in range(count):
        (vertices,) = struct.unpack_from(f"{order}I", wkb, at)
        at += 4 + int(vertices) * width
    return at
