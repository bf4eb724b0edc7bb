"""Assigning many places at once: what `Directory.answer` says of each, in columns; pure.

Places are located in bulk. Those that lie in the same areas have the same people, so that
each combination of areas is asked for once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.scope import Scope
from grids.places import GridFacts, Where
from grids.responsibility import Holder, Inquiry, StaffAnswer, answer
from grids.responsibility.records import AreaKey
from grids.who import Directory

__all__ = ["Assigned", "Assigner"]

Int = NDArray[np.int64]
# So many answers are remembered; a county has fewer combinations of areas and classes.
_REMEMBERED = 500_000
_OF_LEAD = ("lead_role", "lead_name", "lead_phone", "lead_by", "fallback")


@dataclass(frozen=True, slots=True)
class Assigned:
    """What is known of each place.

    Attributes
    ----------
    index : ndarray of int64, shape (n,)
        Position of the place's answer in `answers`; -1 where it has no grid.
    answers : list of tuple
        The different answers, each in the order of `Assigner.headings`; empty text where there
        is nothing to say. In ``fallback`` "1" says that nobody but the territory's centre
        answers (属地兜底).
    outside : dict of int to str
        Position → why a place has no grid.
    """

    index: Int
    answers: list[tuple[Any, ...]]
    outside: dict[int, str]


class Assigner:
    """Assigns places by a directory as of one time.

    Parameters
    ----------
    roles : sequence of str
        Roles whose people are added; by default those that somebody holds.
    within : Scope, optional
        Places in no grid of this area are refused.

    Attributes
    ----------
    at : datetime
    roles : tuple of str
    """

    def __init__(
        self,
        directory: Directory,
        at: datetime,
        roles: Sequence[str] | None = None,
        *,
        within: Scope | None = None,
    ) -> None:
        directory.require(at)
        self._within = within if within is not None and not within.is_whole else None
        self._directory, self.at = directory, at
        held = {post.role for posts in directory.staff.posts.values() for post in posts}
        self.roles = tuple(sorted(held) if roles is None else roles)
        self._known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    @property
    def classes(self) -> frozenset[str]:
        """Codes of the incident classes that are known."""
        return frozenset(self._directory.staff.classes)

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns that are added, in order."""
        own = ("grid_code", "micro_grid", "community", "grid_count", "ambiguous", "by")
        people = (f"{role}_{part}" for role in self.roles for part in ("name", "phone"))
        return (*own, *_OF_LEAD, *people)

    def assign(
        self,
        lon: ArrayLike,
        lat: ArrayLike,
        *,
        classes: Sequence[str | None] | None = None,
        owners: Sequence[str | None] | None = None,
        addresses: Sequence[str | None] | None = None,
    ) -> Assigned:
        """Assign places (degrees, EPSG:4326), shape (n,).

        Parameters
        ----------
        classes : sequence of str, length n, optional
            Code of each one's class of incident.
        owners : sequence of str, length n, optional
            Unit that owns the thing at each.
        addresses : sequence of str, length n, optional
            Standard address of each.

        Raises
        ------
        GeometryError
            If a coordinate is not finite.
        NotFoundError
            If a class is unknown.
        """
        x, y = np.asarray(lon, float), np.asarray(lat, float)
        layers = self._located(x, y)
        special = self._special(x, y, layers, addresses)
        index = np.full(len(x), -1, np.int64)
        answers: list[tuple[Any, ...]] = []
        outside: dict[int, str] = {}
        plain = np.flatnonzero((layers.grid >= 0) & ~special)
        about = [
            _About(*one) for one in zip(_or_none(classes, x), _or_none(owners, x), strict=True)
        ]
        for rows, where in self._alike(plain, layers, about):
            index[rows] = len(answers)
            answers.append(self._answer(where, about[rows[0]]))
        for at in np.flatnonzero((layers.grid < 0) | special).tolist():
            address = addresses[at] if addresses is not None else None
            where = self._directory.places.where(x[at], y[at], address=address)
            if where.grid is None:
                outside[at] = where.reason
                continue
            index[at] = len(answers)
            answers.append(self._answer(where, about[at]))
        if self._within is not None:
            foreign = [not self._within.covers(cells[0]) for cells in answers]
            for at in np.flatnonzero((index >= 0) & np.array([*foreign, False])[index]).tolist():
                index[at], outside[at] = -1, "outside your area"
        return Assigned(index, answers, outside)

    def _located(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> "_Layers":
        places = self._directory.places
        grid = places.grids.locator.locate(x, y)
        micro = places.micro_grids.locator.locate(x, y)
        service = [layer.locator.locate(x, y) for layer in places.service.values()]
        return _Layers(
            grid.area,
            grid.count,
            micro.area,
            micro.count,
            np.array([one.area for one in service]).reshape(len(service), len(x)),
            np.array([one.count for one in service]).reshape(len(service), len(x)),
        )

    def _special(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        layers: "_Layers",
        addresses: Sequence[str | None] | None,
    ) -> NDArray[np.bool_]:
        """Places that are asked for one by one: overlaps, known members, hairs between cuts."""
        places = self._directory.places
        codes = places.grids.locator.codes
        micro_codes = places.micro_grids.locator.codes
        special = (layers.service_ties > 1).any(axis=0) | (layers.micro_ties > 1)
        special |= layers.ties > 1
        inside = np.flatnonzero((layers.grid >= 0) & (layers.micro >= 0))
        grid_of = codes[layers.grid[inside]]
        micro_of = micro_codes[layers.micro[inside]]
        other = [not m.startswith(g) for m, g in zip(micro_of, grid_of, strict=True)]
        special[inside[np.array(other, bool)]] = True
        if places.buildings is not None:
            special |= places.buildings.locator.locate(x, y).area >= 0
        if addresses is not None and places.address_grids:
            special |= [
                one is not None and one.strip() in places.address_grids for one in addresses
            ]
        return special

    def _alike(
        self, plain: Int, layers: "_Layers", about: Sequence["_About"]
    ) -> Iterator[tuple[Int, Where]]:
        """Groups of rows that lie in the same areas and are about the same."""
        if not plain.size:
            return
        number: dict[_About, int] = {}
        same = [number.setdefault(about[at], len(number)) for at in plain.tolist()]
        columns = [layers.grid[plain], layers.micro[plain], *layers.service[:, plain]]
        columns.append(np.array(same, np.int64))
        order = np.lexsort(columns[::-1])
        ranked = [column[order] for column in columns]
        changes = np.zeros(len(plain), bool)
        for column in ranked:
            changes[1:] |= column[1:] != column[:-1]
        starts = np.concatenate([[0], np.flatnonzero(changes), [len(plain)]])
        for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            grid, micro, *service = (int(column[begin]) for column in ranked[:-1])
            yield plain[order[begin:end]], self._where(grid, micro, service)

    def _where(self, grid: int, micro: int, service: list[int]) -> Where:
        places = self._directory.places
        facts = places.facts[places.grids.ids[grid]]
        code = None if micro < 0 else str(places.micro_grids.locator.codes[micro])
        areas: tuple[AreaKey, ...] = tuple(
            ("service_area", str(layer.ids[at]))
            for layer, at in zip(places.service.values(), service, strict=True)
            if at >= 0
        )
        return Where(
            facts, (), code, places.keys(facts, code, areas), "polygon", "inside the grid", False
        )

    def _answer(self, where: Where, about: "_About") -> tuple[Any, ...]:
        """The cells of the rows that lie in one place."""
        grid = where.grid
        assert grid is not None  # noqa: S101 - rows outside are not answered
        ties, unsure = 1 + len(where.others), "1" if where.ambiguous else "0"
        own = (grid.code, where.micro_grid or "", grid.community, ties, unsure, where.by)
        return (*own, *self._people(where, grid, about))

    def _people(self, where: Where, grid: GridFacts, about: "_About") -> tuple[str, ...]:
        owner = about.owner or grid.owner
        key = (where.areas, grid.kind, owner, about.kind)
        held = self._known.get(key)
        if held is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            inquiry = Inquiry(where.areas, grid.kind, self.at, about.kind, owner)
            held = self._known[key] = self._cells(answer(self._directory.staff, inquiry))
        return held

    def _cells(self, said: StaffAnswer) -> tuple[str, ...]:
        first: dict[str, Holder] = {}
        for one in said.people:
            first.setdefault(one.role, one)
        lead = said.lead
        cells = ["", "", "", ""]
        if lead is not None:
            cells = [lead.role, lead.name, lead.duty_phone or "", lead.by]
        cells.append("1" if said.fallback else "0")
        for role in self.roles:
            named = first.get(role)
            cells += [named.name, named.duty_phone or ""] if named else ["", ""]
        return tuple(cells)


class _About(NamedTuple):
    """What a row asks for beside its place."""

    kind: str | None
    owner: str | None


def _or_none(
    cells: Sequence[str | None] | None, places: NDArray[np.float64]
) -> Sequence[str | None]:
    return [None] * len(places) if cells is None else cells


@dataclass(frozen=True, slots=True)
class _Layers:
    """Position and number of areas for each place: grids, micro-grids, service areas by kind."""

    grid: Int
    ties: Int
    micro: Int
    micro_ties: Int
    service: Int
    service_ties: Int
