"""Grid codes: 12 digits of the community and a sequence of 3, never used twice."""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import StateError

__all__ = ["LAST_SEQUENCE", "new_codes", "own_name", "reading_order", "usual_name"]

LAST_SEQUENCE = 999


def reading_order(x: ArrayLike, y: ArrayLike, row_height: float) -> NDArray[np.int64]:
    """Order places west→east in rows that go north→south, as a page is read.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Easting and northing of a point inside each grid.
    row_height : float
        Height of a row, in the unit of `y`.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions in order.

    Examples
    --------
    >>> reading_order([9.0, 1.0, 5.0], [9.5, 9.0, 1.0], 5.0).tolist()
    [1, 0, 2]
    """
    east, north = np.asarray(x, float), np.asarray(y, float)
    if not east.size:
        return np.zeros(0, np.int64)
    row = np.floor((north.max() - north) / row_height)
    return np.lexsort((-north, east, row)).astype(np.int64)


def new_codes(community: str, count: int, used: Collection[int]) -> list[str]:
    """Return the next free codes of a community: after the last one, then those left out before.

    Parameters
    ----------
    community : str
        12-digit code.
    count : int
    used : collection of int
        Every sequence ever given in the community, those of retired codes too.

    Raises
    ------
    StateError
        If fewer than `count` of the three digits' sequences were never given.

    Examples
    --------
    >>> new_codes("990100001001", 2, used={1})
    ['990100001001002', '990100001001003']
    >>> new_codes("990100001001", 2, used={2, 998})
    ['990100001001999', '990100001001001']
    """
    last = max(used, default=0)
    never = sorted(set(range(1, LAST_SEQUENCE + 1)).difference(used), key=lambda n: (n < last, n))
    if len(never) < count:
        raise StateError(f"community {community} has {len(never)} grid codes left, not {count}")
    return [f"{community}{number:03d}" for number in never[:count]]


def usual_name(community: str, code: str) -> str:
    """The name of a grid that was given none.

    Examples
    --------
    >>> usual_name("东街社区", "990100001001007")
    '东街社区第7网格'
    """
    return f"{community}第{int(code[12:])}网格"


def own_name(name: str, community: str, code: str) -> str:
    """A grid's name where it was given one, empty where the name only follows from the code.

    Examples
    --------
    >>> own_name("东苑", "东街社区", "990100001001007")
    '东苑'
    >>> own_name("东街社区第7网格", "东街社区", "990100001001007")
    ''
    """
    return "" if name == usual_name(community, code) else name
