"""The locator: place → area, exact on every place, ties reported."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import GeometryError
from gis.locator.build import Heap, build
from gis.locator.edges import NOWHERE, bounds_of, edges_of
from gis.locator.file import read, write
from gis.locator.layout import Raster
from gis.locator.query import covering, locate_many, locate_one
from gis.locator.redraw import redraw

__all__ = ["Located", "Locator"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Located:
    """Where each point lies.

    Attributes
    ----------
    area : ndarray of int64, shape (n,)
        Position of the area with the smallest code that covers the point; -1 for none.
    count : ndarray of int64, shape (n,)
        How many areas cover the point; more than one on a shared edge or an overlap.
    """

    area: Int
    count: Int


class Locator:
    """Exact place → area look-up over polygons.

    Parameters
    ----------
    polygons : array of shapely polygons or multipolygons, shape (n,), EPSG:4326
        Valid; a coverage, or areas that overlap.
    codes : sequence of str, length n
        Ties on shared edges go to the smallest code.

    Attributes
    ----------
    codes : ndarray of str, shape (n,)
    find : callable
        Takes the longitude and latitude of one point as floats (degrees, EPSG:4326); returns
        the position of the area with the smallest code that covers it, -1 for none. A partial,
        not a method: that would cost a sixth of a look-up.

    Raises
    ------
    GeometryError
        If the lengths differ, a shape is no polygon or has a coordinate that is not finite.

    Examples
    --------
    >>> import shapely
    >>> squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> found = Locator(squares, ["b", "a"]).locate([0.5, 1.0, 9.0], [0.5, 0.5, 0.5])
    >>> found.area.tolist(), found.count.tolist()
    ([0, 1, -1], [1, 2, 0])
    """

    def __init__(self, polygons: Any, codes: Sequence[str]) -> None:
        shapes = _paired(polygons, codes)
        self.codes = np.asarray(codes, dtype=object)
        self._bounds = bounds_of(shapes)
        edges = edges_of(shapes, np.arange(len(shapes)))
        self._hold(*build(edges, _ranks(self.codes)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Map a locator that was saved; processes that do so share its memory.

        Raises
        ------
        GeometryError
            If the file is no locator of this version.
        """
        raster, bounds, codes = read(path)
        empty = cls([], [])
        return empty._with(np.array(codes, dtype=object), bounds, raster, _heap_of(raster))

    def save(self, path: Path) -> None:
        """Write the locator to a file, whole or not at all."""
        write(path, self._raster, self._bounds, self.codes.tolist())

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.codes)

    def redrawn(self, gone: Sequence[str], polygons: Any, codes: Sequence[str]) -> Self:
        """A locator with some areas taken out and others put in; this one stays as it is.

        Only the cells that they touch are written anew. Areas that stay keep their positions;
        those put in take the places of those taken out, then further ones; a place that is
        left over has the code "".

        Parameters
        ----------
        gone : sequence of str
            Codes of the areas to take out.
        polygons : array of shapely polygons or multipolygons, shape (m,), EPSG:4326
        codes : sequence of str, length m

        Raises
        ------
        GeometryError
            If there is no area of a code in `gone`, or what is put in is no polygon.
        """
        shapes = _paired(polygons, codes)
        position = {code: index for index, code in enumerate(self.codes.tolist())}
        if missing := [code for code in gone if not code or code not in position]:
            raise GeometryError(f"there is no area {missing[0]!r} to take out")
        out = np.array([position[code] for code in gone], np.int64)
        more = np.arange(len(self), len(self) + max(len(shapes) - len(out), 0))
        place = np.concatenate([out, more])[: len(shapes)]
        new_codes = np.concatenate([self.codes, np.full(len(more), "", dtype=object)])
        bounds = np.concatenate([self._bounds, np.empty((len(more), 4))])
        touched = np.concatenate([self._bounds[out], bounds_of(shapes)])
        bounds[out], new_codes[out] = NOWHERE, ""
        bounds[place], new_codes[place] = bounds_of(shapes), np.asarray(codes, dtype=object)
        raster, heap = redraw(
            self._raster, self._heap, out, touched, shapes, place, _ranks(new_codes)
        )
        return copy(self)._with(new_codes, bounds, raster, heap)  # noqa: SLF001 - of this class

    def _with(self, codes: NDArray[np.object_], bounds: Float, raster: Raster, heap: Heap) -> Self:
        """Itself, its content exchanged."""
        self.codes, self._bounds = codes, bounds
        self._hold(raster, heap)
        return self

    def _hold(self, raster: Raster, heap: Heap) -> None:
        self._raster, self._heap = raster, heap
        addresses = (int(words.ctypes.data) for words in raster)
        self.find: Callable[[float, float], int] = partial(locate_one, *addresses)
        # It may outlive the locator, and with it must live the arrays whose addresses it has.
        vars(self.find)["raster"] = raster

    def __getstate__(self) -> tuple[NDArray[np.object_], Float, Raster]:
        """What is sent to another process: the look-up of one place holds addresses of this."""
        return self.codes, self._bounds, self._raster

    def __setstate__(self, state: tuple[NDArray[np.object_], Float, Raster]) -> None:
        """Take what was sent."""
        self._with(*state, _heap_of(state[2]))

    @property
    def wasteful(self) -> bool:
        """Whether redrawing has left so much behind that the locator should be built again."""
        return self._heap.wasteful

    @property
    def nbytes(self) -> int:
        """Memory of the raster in bytes."""
        return sum(words.nbytes for words in self._raster)

    def candidates(self, lon: float, lat: float) -> Int:
        """Every area that covers one point, smallest code first."""
        found: Int = covering(self._raster, float(lon), float(lat))
        return found

    def locate(self, lon: ArrayLike, lat: ArrayLike, *, threads: int = 1) -> Located:
        """Locate points; a constant number of steps for each, however many areas there are.

        Parameters
        ----------
        lon, lat : array_like of float, shape (n,), degrees, EPSG:4326
        threads : int
            How many threads share the work.

        Raises
        ------
        GeometryError
            If the lengths differ, or a coordinate is NaN or infinite; the position is named.
        """
        x = np.ascontiguousarray(np.atleast_1d(np.asarray(lon, np.float64)))
        y = np.ascontiguousarray(np.atleast_1d(np.asarray(lat, np.float64)))
        if x.shape != y.shape:
            raise GeometryError(f"{len(x)} longitudes but {len(y)} latitudes")
        area, count = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
        cuts = np.linspace(0, len(x), max(threads, 1) + 1).astype(int)

        def run(part: int) -> int:
            here = slice(cuts[part], cuts[part + 1])
            bad = locate_many(*self._raster, x[here], y[here], area[here], count[here])
            return int(cuts[part]) + bad if bad >= 0 else -1

        if threads <= 1:
            bad = [run(0)]
        else:
            # This thread takes a part itself: one fewer has to be woken.
            with ThreadPoolExecutor(threads - 1) as pool:
                others = [pool.submit(run, part) for part in range(1, threads)]
                bad = [run(0), *(other.result() for other in others)]
        for at in bad:
            if at >= 0:
                raise GeometryError(f"point {at} has no finite coordinates: ({x[at]}, {y[at]})")
        return Located(area, count)


def _heap_of(raster: Raster) -> Heap:
    """A heap without room behind the words of a raster."""
    return Heap(raster.near, raster.exact, np.array([len(raster.near), len(raster.exact)]))


def _paired(polygons: Any, codes: Sequence[str]) -> NDArray[np.object_]:
    shapes = np.asarray(polygons, dtype=object)
    if len(shapes) != len(codes):
        raise GeometryError(f"{len(shapes)} polygons but {len(codes)} codes")
    return shapes


def _ranks(codes: NDArray[np.object_]) -> Int:
    """Position of each area in the order of codes."""
    rank = np.empty(len(codes), np.int64)
    rank[np.argsort(codes.astype(str), kind="stable")] = np.arange(len(codes))
    return rank
