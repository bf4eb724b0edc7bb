"""What a change of a community's plan means: figures before and after, moves, warnings; pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grids.redraw.plan import CommunityPlan, GridFigures, PlannedGrid, PlannedPost

__all__ = ["WARNINGS", "GridChange", "Limits", "Move", "Warned", "changes", "moves", "warnings"]

WARNINGS = ("out_of_range", "odd_shape", "building_split", "overload", "long_walk")


# What a point set into an edge may do to an area, by rounding.
_AREA_M2 = 1e-3


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond which figures a planner is warned; a profile's ranges come on top.

    Attributes
    ----------
    compactness : float
        Least Polsby-Popper.
    households : int
        Most that one gridworker looks after.
    walk_m : float
        Longest walk between two blocks of an urban grid; a rural one may have four times it.
    """

    compactness: float = 0.12
    households: int = 600
    walk_m: float = 1500.0


@dataclass(frozen=True, slots=True)
class GridChange:
    """A grid before and after; None where it is not there."""

    key: str
    before: GridFigures | None
    after: GridFigures | None
    grid: PlannedGrid


@dataclass(frozen=True, slots=True)
class Move:
    """Ground that goes from one grid to another.

    Attributes
    ----------
    ground : list of shapely polygons, EPSG:4326
    """

    source: str
    target: str
    households: int
    ground: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is allowed and hardly meant.

    Attributes
    ----------
    kind : str
        One of `WARNINGS`.
    grid : str
        Key of the grid; of the first of two where a building is split.
    figure : float
        Households or people, compactness, the building's number, households, metres.
    name : str
        The gridworker's, where it is about one.
    place : shapely point, EPSG:4326
    """

    kind: str
    grid: str
    figure: float
    place: Any
    name: str = ""


def changes(before: CommunityPlan, after: CommunityPlan) -> list[GridChange]:
    """Grids whose figures, name, kind or code differ, in the order of their keys.

    Examples
    --------
    See ``tests/unit/grids/redraw``.
    """
    found = []
    for key in sorted({*before.keys, *after.keys}):
        old, new = before.position.get(key), after.position.get(key)
        facts = after.grids[new] if new is not None else before.grids[old or 0]
        was = None if old is None else before.figures[old]
        now = None if new is None else after.figures[new]
        if not _alike(was, now) or (old is not None and before.grids[old] != facts):
            found.append(GridChange(key, was, now, facts))
    return found


def _alike(one: GridFigures | None, two: GridFigures | None) -> bool:
    """Whether figures are the same but for points that a cut beside the grid set into its edge."""
    if one is None or two is None:
        return one is two
    same = (one.households, one.blocks) == (two.households, two.blocks)
    return one is two or (same and abs(one.area_m2 - two.area_m2) < _AREA_M2)


def moves(before: Iterable[CommunityPlan], after: Iterable[CommunityPlan]) -> list[Move]:
    """Which ground, with how many households, went from which grid to which; what stayed too.

    Parameters
    ----------
    before, after : iterable of CommunityPlan
        The same communities; two where a boundary between them moved.

    Notes
    -----
    Blocks that were cut, or whose cut was undone, are compared by their smallest pieces. Ground
    that only one side has is left out: it is another community's on the other.
    """
    earlier, later = list(before), list(after)
    fine = _finest([*earlier, *later])
    held: dict[tuple[str, str], tuple[int, list[Any]]] = defaultdict(lambda: (0, []))
    was, now = _owners(earlier), _owners(later)
    for key, (households, polygon) in fine.items():
        source, target = _owner(was, key), _owner(now, key)
        if source and target:
            count, ground = held[source, target]
            held[source, target] = (count + households, [*ground, polygon])
    return [
        Move(source, target, count, tuple(ground))
        for (source, target), (count, ground) in sorted(held.items())
    ]


def _finest(plans: list[CommunityPlan]) -> dict[str, tuple[int, Any]]:
    """The smallest pieces of all, with their households and ground."""
    found: dict[str, tuple[int, Any]] = {}
    for plan in plans:
        blocks = plan.blocks
        for key, households, polygon in zip(
            blocks.keys, blocks.households.tolist(), blocks.polygons, strict=True
        ):
            found.setdefault(key, (households, polygon))
    parents = {ancestor for key in found for ancestor in _ancestors(key)}
    return {key: value for key, value in found.items() if key not in parents}


def _ancestors(key: str) -> Iterable[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key


def _owners(plans: list[CommunityPlan]) -> dict[str, str]:
    return {
        block: plan.keys[grid]
        for plan in plans
        for block, grid in zip(plan.blocks.keys, plan.grid_of.tolist(), strict=True)
    }


def _owner(owners: Mapping[str, str], key: str) -> str:
    if key in owners:
        return owners[key]
    return next((owners[one] for one in _ancestors(key) if one in owners), "")


def warnings(
    plan: CommunityPlan, posts: Iterable[PlannedPost] = (), limits: Limits | None = None
) -> list[Warned]:
    """What a planner should look at in a community, in the order of `WARNINGS`."""
    bounds = limits or Limits()
    found = [*_per_grid(plan, bounds), *_split_buildings(plan), *_overloads(plan, posts, bounds)]
    return sorted(found, key=lambda one: (WARNINGS.index(one.kind), one.grid))


def _place(polygon: Any) -> Any:
    return shapely.point_on_surface(polygon)


def _per_grid(plan: CommunityPlan, bounds: Limits) -> Iterable[Warned]:
    ground = plan.blocks.ground
    walk_m = bounds.walk_m * (1 if ground.urban else 4)
    for grid, figures in zip(plan.grids, plan.figures, strict=True):
        size = ground.size_of(figures.households)
        place = _place(figures.polygon)
        if grid.kind != "dedicated" and not ground.size.least <= size <= ground.size.most:
            yield Warned("out_of_range", grid.key, size, place)
        if figures.compactness < bounds.compactness:
            yield Warned("odd_shape", grid.key, figures.compactness, place)
        if figures.walk_m > walk_m and grid.kind != "dedicated":
            yield Warned("long_walk", grid.key, figures.walk_m, place)


def _split_buildings(plan: CommunityPlan) -> Iterable[Warned]:
    blocks = plan.blocks
    building, block = blocks.straddling
    owner = plan.grid_of[block]
    for one in np.unique(building).tolist():
        grids: NDArray[np.int64] = np.unique(owner[building == one])
        if len(grids) > 1:
            buildings = blocks.ground.buildings
            place = blocks.ground.local.inverse(blocks.ground.building_points[[one]])[0]
            yield Warned(
                "building_split", plan.keys[int(grids[0])], float(buildings.ids[one]), place
            )


def _overloads(
    plan: CommunityPlan, posts: Iterable[PlannedPost], bounds: Limits
) -> Iterable[Warned]:
    ground = plan.blocks.ground
    planned = {one.grid: one.person_id for one in posts if one.role == "gridworker"}
    people = {holder.person_id: holder for holder in ground.holders.values()}
    load: dict[int, int] = {person: holder.elsewhere for person, holder in people.items()}
    largest: dict[int, tuple[int, str]] = {}
    for grid, figures in zip(plan.grids, plan.figures, strict=True):
        heir = ground.holders.get(grid.staff_of)
        person = planned.get(grid.key, heir.person_id if heir else None)
        if person is None:
            continue
        load[person] = load.get(person, 0) + figures.households
        largest[person] = max(largest.get(person, (0, "")), (figures.households, grid.key))
    for person, households in sorted(load.items()):
        if households > bounds.households and person in largest:
            key = largest[person][1]
            name = people[person].name if person in people else str(person)
            place = _place(plan.figures[plan.find(key)].polygon)
            yield Warned("overload", key, float(households), place, name)
