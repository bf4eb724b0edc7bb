"""A layer: areas of one kind with their ids, located; renewed by what has changed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data.log import LOG
from gis.errors import GeometryError
from gis.locator import Locator
from gis.shares import Shares

__all__ = ["Layer", "LayerRow"]

Fetch = Callable[[Sequence[int]], NDArray[np.object_]]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """An area as the database lists it; `mark` is another one where its shape is."""

    id: int
    code: str
    mark: str = ""


class Layer:
    """Areas of one kind.

    Parameters
    ----------
    rows : sequence of LayerRow
        Each with a code of its own; an area of an id and mark never changes its shape.
    fetch : callable
        Shapes of some ids, in that order (EPSG:4326).
    file : Path, optional
        Where the built locator is kept for other processes, without the suffix.

    Attributes
    ----------
    locator : Locator
    ids : list of int
        By position in the locator; 0 where an area was taken out.
    mark : str
        Another one for other areas.
    """

    def __init__(self, rows: Sequence[LayerRow], fetch: Fetch, file: Path | None = None) -> None:
        self.ids = [row.id for row in rows]
        self.mark = _mark_of(rows)
        self._marks = {row.id: row.mark for row in rows}
        self._fetch = fetch
        self.locator = _kept(rows, self.mark, fetch, file)

    def renewed(self, rows: Sequence[LayerRow], fetch: Fetch, file: Path | None = None) -> "Layer":
        """The layer of other rows; where few have changed, only these are drawn anew."""
        wanted = {row.id: row.mark for row in rows}
        held = {one: at for at, one in enumerate(self.ids) if one}
        stays = {one for one in held if wanted.get(one) == self._marks[one]}
        gone = [self.locator.codes[at] for one, at in held.items() if one not in stays]
        fresh = [row for row in rows if row.id not in stays]
        if not gone and not fresh:
            return self
        if self.locator.wasteful or (len(gone) + len(fresh)) * 4 > len(rows):
            return Layer(rows, fetch, file)
        other = self._redrawn(gone, fresh, fetch)
        other.mark = _mark_of(rows)
        return other

    def _redrawn(self, gone: list[str], fresh: list[LayerRow], fetch: Fetch) -> Self:
        other = object.__new__(type(self))
        taken = {*gone}
        codes_of = zip(self.ids, self.locator.codes.tolist(), strict=True)
        stay = {one: self._marks[one] for one, code in codes_of if one and code not in taken}
        other._marks = stay | {row.id: row.mark for row in fresh}
        codes = [row.code for row in fresh]
        shapes = fetch([row.id for row in fresh])
        other.locator = self.locator.redrawn(gone, shapes, codes)
        position = {row.code: row.id for row in fresh}
        known: dict[str, int] = dict(zip(self.locator.codes.tolist(), self.ids, strict=True))
        position = known | position
        other.ids = [position.get(code, 0) for code in other.locator.codes.tolist()]
        other._fetch = fetch
        return other

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process, which cannot fetch shapes."""
        return {"ids": self.ids, "mark": self.mark, "locator": self.locator}

    def shapes(self, ids: Sequence[int]) -> NDArray[np.object_]:
        """Shapes of some of its areas, in that order (EPSG:4326); asks the database."""
        return self._fetch(ids)

    def at(self, lon: float, lat: float) -> list[int]:
        """Ids of the areas that cover a place, smallest code first."""
        if not self.ids:
            return []
        return [self.ids[hit] for hit in self.locator.candidates(lon, lat)]

    @cached_property
    def shares(self) -> tuple[Shares, list[int]]:
        """How much of a shape lies in which area, and the ids by position; fetched when asked."""
        held = [(one, self.locator.codes[at]) for at, one in enumerate(self.ids) if one]
        ids = [one for one, _ in held]
        return Shares(self._fetch(ids), [code for _, code in held]), ids


def _mark_of(rows: Sequence[LayerRow]) -> str:
    text = "\n".join(f"{row.id} {row.code} {row.mark}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kept(rows: Sequence[LayerRow], mark: str, fetch: Fetch, file: Path | None) -> Locator:
    """The locator from its file, else built and written there."""
    codes = [row.code for row in rows]
    if file is None:
        return Locator(fetch([row.id for row in rows]), codes)
    path = file.with_name(f"{file.name}-{mark}.locator")
    if path.exists():
        try:
            return Locator.load(path)
        # Of another version, or cut off; or a process with another plan has dropped it meanwhile.
        except (GeometryError, FileNotFoundError):  # made anew below
            path.unlink(missing_ok=True)
    made = Locator(fetch([row.id for row in rows]), codes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path)
    except OSError as error:  # a full disk keeps nobody from an answer
        LOG.warning("a locator is not kept: each process builds its own", reason=error.strerror)
        return made
    for old in path.parent.glob(f"{file.name}-*.locator"):
        if old != path:
            old.unlink(missing_ok=True)
    try:
        # As any other process has it: mapped, and shared with them.
        return Locator.load(path)
    except FileNotFoundError:
        return made
