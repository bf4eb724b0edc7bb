"""The grids of one community in a draft: which blocks are whose, and each grid's figures; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from gis.graph import connected_parts
from gis.shape import polsby_popper
from grids.borders import walk_graph
from grids.redraw.community import CommunityBlocks
from grids.redraw.errors import EditRefusedError
from grids.rules import PEOPLE_PER_HOUSEHOLD

__all__ = ["CommunityPlan", "DraftState", "GridFigures", "PlannedGrid", "PlannedPost"]

Int = NDArray[np.int64]
Parts = tuple[tuple[str, ...], ...]
NEW = "+"


@dataclass(frozen=True, slots=True)
class PlannedGrid:
    """A grid as a draft has it.

    Attributes
    ----------
    key : str
        The code of the published grid that it goes on from; a new one's is its community,
        ``+``, the edit's number and a counter.
    code : str
        The code that it is to have; empty for the next free one.
    name : str
        Empty for the usual name.
    kind : str
        ``urban``, ``rural`` or ``dedicated``.
    zone_id : int or None
        The held zone of a dedicated grid.
    zone_kind, zone_name, zone_owner : str
        Of a zone that the draft sets up.
    heir_of : str
        Of a new grid: the published one that most of its households come from.
    """

    key: str
    code: str = ""
    name: str = ""
    kind: str = "urban"
    zone_id: int | None = None
    zone_kind: str = ""
    zone_name: str = ""
    zone_owner: str = ""
    heir_of: str = ""

    @property
    def staff_of(self) -> str:
        """Code of the published grid whose staff goes on; empty for none."""
        return self.heir_of or ("" if self.is_new else self.key)

    @property
    def is_new(self) -> bool:
        """Whether it goes on from no published grid."""
        return NEW in self.key

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.code or self.key


@dataclass(frozen=True, slots=True)
class GridFigures:
    """Figures of one grid.

    Attributes
    ----------
    polygon : shapely polygon or multipolygon, EPSG:4326
    compactness : float
        Polsby-Popper, 1 for a disc.
    walk_m : float
        Longest walk between two of its blocks, along the middles of blocks.
    """

    households: int
    people: float
    area_m2: float
    compactness: float
    walk_m: float
    blocks: int
    polygon: Any


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """Who is to be responsible for a grid from the publication on."""

    grid: str
    role: str
    person_id: int
    holder: str = "A"


@dataclass(frozen=True)
class CommunityPlan:
    """An assignment of a community's blocks to its grids.

    Attributes
    ----------
    blocks : CommunityBlocks, n of them
    grids : tuple of PlannedGrid, length k
    grid_of : ndarray of int64, shape (n,), values 0…k-1
    figures : tuple of GridFigures, length k
    """

    blocks: CommunityBlocks
    grids: tuple[PlannedGrid, ...]
    grid_of: Int
    figures: tuple[GridFigures, ...]

    @classmethod
    def of(
        cls,
        blocks: CommunityBlocks,
        grids: Iterable[PlannedGrid],
        grid_of: Int,
        before: "CommunityPlan | None" = None,
        *,
        checked: bool = True,
    ) -> "CommunityPlan":
        """Put a plan together; figures of unchanged grids are taken from before.

        What is published already is not checked again (`checked` False).

        Raises
        ------
        EditRefusedError
            If a grid has no block, or blocks that do not reach each other; with the place.
        """
        kept = tuple(grids)
        _require_blocks(blocks, kept, grid_of)
        changed = _changed(blocks, kept, grid_of, before)
        if checked:
            _require_contiguous(blocks, kept, grid_of, changed)
        held = {} if before is None else dict(zip(before.keys, before.figures, strict=True))
        figures = tuple(
            figures_of(blocks, np.flatnonzero(grid_of == i)) if i in changed else held[grid.key]
            for i, grid in enumerate(kept)
        )
        return cls(blocks, kept, grid_of, figures)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Key of each grid."""
        return tuple(grid.key for grid in self.grids)

    @cached_property
    def position(self) -> dict[str, int]:
        """Key → position."""
        return {key: index for index, key in enumerate(self.keys)}

    @property
    def code(self) -> str:
        """Code of the community."""
        return self.blocks.ground.code

    def find(self, key: str) -> int:
        """Position of a grid.

        Raises
        ------
        EditRefusedError
            If the community has none of that key.
        """
        if key not in self.position:
            raise EditRefusedError("unknown", f"{self.blocks.ground.name} has no grid {key}")
        return self.position[key]

    def members(self, key: str) -> Int:
        """Positions of a grid's blocks."""
        return np.flatnonzero(self.grid_of == self.find(key)).astype(np.int64)

    def members_of(self) -> dict[str, frozenset[str]]:
        """Grid key → keys of its blocks."""
        found: dict[str, set[str]] = {key: set() for key in self.keys}
        for block, grid in zip(self.blocks.keys, self.grid_of.tolist(), strict=True):
            found[self.keys[grid]].add(block)
        return {key: frozenset(blocks) for key, blocks in found.items()}

    def with_grid(self, grid: PlannedGrid) -> "CommunityPlan":
        """The same with one grid's facts replaced."""
        at = self.find(grid.key)
        return replace(self, grids=(*self.grids[:at], grid, *self.grids[at + 1 :]))

    def with_blocks(self, blocks: CommunityBlocks) -> "CommunityPlan":
        """The same assignment over blocks some of which were sliced."""
        root = dict(zip(self.blocks.keys, self.grid_of, strict=True))
        grid_of = np.array(
            [root[key] if key in root else root[key.rpartition("/")[0]] for key in blocks.keys],
            np.int64,
        )
        return CommunityPlan.of(blocks, self.grids, grid_of, self)


@dataclass(frozen=True)
class DraftState:
    """What a draft's edits make of the plan.

    Attributes
    ----------
    plans : mapping of str to CommunityPlan
        The communities that edits touch.
    posts : tuple of PlannedPost
    drawn : mapping of str to tuple
        Communities that the draft began by drawing anew: the blocks of each of their grids.
    """

    plans: Mapping[str, CommunityPlan] = field(default_factory=dict)
    posts: tuple[PlannedPost, ...] = ()
    drawn: Mapping[str, Parts] = field(default_factory=dict)

    def plan(self, community: str) -> CommunityPlan:
        """The plan of a community that was loaded.

        Raises
        ------
        EditRefusedError
            If there is none.
        """
        if community not in self.plans:
            raise EditRefusedError("unknown", f"no community {community} in this plan")
        return self.plans[community]

    def with_plan(self, *plans: CommunityPlan) -> "DraftState":
        """The same with some communities' plans replaced."""
        return replace(self, plans={**self.plans, **{plan.code: plan for plan in plans}})


def figures_of(blocks: CommunityBlocks, members: Int) -> GridFigures:
    """Figures of the grid that consists of some blocks."""
    polygon = shapely.coverage_union_all(blocks.polygons[members])
    metres = blocks.ground.local.forward(np.array([polygon], dtype=object))
    households = int(blocks.households[members].sum())
    return GridFigures(
        households,
        households * PEOPLE_PER_HOUSEHOLD,
        float(shapely.area(metres)[0]),
        float(polsby_popper(metres)[0]),
        _walk_m(blocks, members),
        len(members),
        polygon,
    )


def _walk_m(blocks: CommunityBlocks, members: Int) -> float:
    if len(members) < 2:
        return 0.0
    borders = blocks.borders
    inside = np.zeros(len(blocks.keys), bool)
    inside[members] = True
    graph = walk_graph(borders, inside[borders.left] & inside[borders.right], blocks.middle)
    reach = dijkstra(graph[members][:, members], directed=False)
    return float(reach[np.isfinite(reach)].max(initial=0.0))


def _require_blocks(blocks: CommunityBlocks, grids: tuple[PlannedGrid, ...], grid_of: Int) -> None:
    count = np.bincount(grid_of, minlength=len(grids))
    for position in np.flatnonzero(count == 0).tolist():
        raise EditRefusedError(
            "empty",
            f"{grids[position].label} would have no block left: merge it with another instead",
        )
    if len(blocks.keys) != len(grid_of):
        raise EditRefusedError("coverage", "not every block would be in a grid")


def _changed(
    blocks: CommunityBlocks,
    grids: tuple[PlannedGrid, ...],
    grid_of: Int,
    before: CommunityPlan | None,
) -> set[int]:
    """Positions of the grids whose ground is not the same object for object."""
    if before is None:
        return set(range(len(grids)))
    held: dict[str, dict[str, int]] = {key: {} for key in before.keys}
    for block, shape, grid in zip(
        before.blocks.keys, before.blocks.polygons, before.grid_of.tolist(), strict=True
    ):
        held[before.keys[grid]][block] = id(shape)
    now: dict[str, dict[str, int]] = {grid.key: {} for grid in grids}
    for block, shape, position in zip(blocks.keys, blocks.polygons, grid_of.tolist(), strict=True):
        now[grids[position].key][block] = id(shape)
    return {i for i, grid in enumerate(grids) if held.get(grid.key) != now[grid.key]}


def _require_contiguous(
    blocks: CommunityBlocks, grids: tuple[PlannedGrid, ...], grid_of: Int, changed: set[int]
) -> None:
    borders = blocks.borders
    kin = grid_of[borders.left] == grid_of[borders.right]
    part = connected_parts(len(grid_of), borders.left[kin], borders.right[kin])
    for position in sorted(changed):
        members = np.flatnonzero(grid_of == position)
        parts, size = np.unique(part[members], return_counts=True)
        if len(parts) > 1:
            lone = members[part[members] == parts[np.argmin(size)]]
            raise EditRefusedError(
                "contiguous",
                f"{grids[position].label} would fall into {len(parts)} parts",
                shapely.coverage_union_all(blocks.polygons[lone]),
            )
