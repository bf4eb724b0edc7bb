"""Adopting a plan drawn elsewhere: polygons are snapped to blocks, what does not fit is told.

Nothing is taken over silently: each gap, overlap and shift has a place and an area, each
polygon that cannot be used has a reason.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.graph import connected_parts
from grids.redraw.community import CommunityBlocks

__all__ = ["ISSUES", "Adopted", "Drawn", "Issue", "adopt", "check_drawn"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]
ISSUES = (
    "broken",
    "empty",
    "no area",
    "duplicate",
    "overlap",
    "gap",
    "moved",
    "apart",
    "across",
    "outside",
)
# Less than this is the width of a pen, not a gap, an overlap or a shift.
_LEAST_M2 = 100.0
# A block of which less than this is drawn belongs to nobody's polygon.
_COVERED = 0.5


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that a planner should look at.

    Attributes
    ----------
    kind : str
        One of `ISSUES`.
    drawn : tuple of str
        Names of the polygons concerned.
    area_m2 : float
    place : shapely point, EPSG:4326, or None where there is none
    done : str
        What was done about it.
    """

    kind: str
    drawn: tuple[str, ...]
    area_m2: float
    place: Any
    done: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """Usable polygons of a plan drawn elsewhere, EPSG:4326, each with a name of its own."""

    names: tuple[str, ...]
    polygons: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Adopted:
    """Grids of one community, made of its blocks.

    Attributes
    ----------
    parts : tuple of tuple of str
        Keys of the blocks of each grid.
    names : tuple of str
        Empty where the ground is in no polygon.
    """

    parts: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    issues: tuple[Issue, ...]


def check_drawn(names: Sequence[str], shapes: Sequence[Any]) -> tuple[Drawn, list[Issue]]:
    """Take what can be used of a file's rows, and tell what was mended or left out.

    Parameters
    ----------
    names : sequence of str, length n
    shapes : sequence of shapely geometry or None, length n, EPSG:4326
        Heights are dropped; bow-ties are mended; two rows of one ground count once.
    """
    issues: list[Issue] = []
    kept: list[tuple[str, Any]] = []
    seen: dict[bytes, str] = {}
    used: dict[str, int] = defaultdict(int)
    for name, given in zip(names, shapes, strict=True):
        shape = _usable(name, given, issues)
        if shape is None:
            continue
        same = shapely.to_wkb(shapely.normalize(shape))
        if same in seen:
            issues.append(_issue("duplicate", (seen[same], name), shape, "counted once"))
            continue
        seen[same] = name
        used[name] += 1
        kept.append((name if used[name] == 1 else f"{name} ({used[name]})", shape))
    polygons = np.empty(len(kept), dtype=object)
    polygons[:] = [shape for _, shape in kept]
    issues += _overlaps([name for name, _ in kept], polygons)
    return Drawn(tuple(name for name, _ in kept), polygons), issues


def _usable(name: str, given: Any, issues: list[Issue]) -> Any:
    if given is None or shapely.is_empty(given):
        issues.append(Issue("empty", (name,), 0.0, None, "left out"))
        return None
    shape = shapely.force_2d(given)
    if not shapely.is_valid(shape):
        shape = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        issues.append(_issue("broken", (name,), shape, "mended"))
    parts = shapely.get_parts(shape)
    areas = parts[np.isin(shapely.get_type_id(parts), [3, 6])]
    if not len(areas) or shapely.area(areas).sum() == 0:
        issues.append(_issue("no area", (name,), given, "left out"))
        return None
    return shapely.union_all(areas)


def _issue(kind: str, drawn: tuple[str, ...], shape: Any, done: str) -> Issue:
    place = None if shapely.is_empty(shape) else shapely.point_on_surface(shape)
    return Issue(kind, drawn, _area_m2(shape), place, done)


def _area_m2(shape: Any) -> float:
    """Area of a shape in degrees, near enough to tell what is large."""
    if shapely.is_empty(shape):
        return 0.0
    south, north = shape.bounds[1], shape.bounds[3]
    metre = 111_195.0
    return float(shapely.area(shape) * metre**2 * np.cos(np.radians((south + north) / 2)))


def _overlaps(names: list[str], polygons: NDArray[np.object_]) -> list[Issue]:
    one, two = shapely.STRtree(polygons).query(polygons, "intersects")
    found = []
    for a, b in sorted(zip(one.tolist(), two.tolist(), strict=True)):
        if a < b:
            shared = shapely.intersection(polygons[a], polygons[b])
            if _area_m2(shared) > _LEAST_M2:
                done = "each block goes to the polygon that has more of it"
                found.append(_issue("overlap", (names[a], names[b]), shared, done))
    return found


def adopt(
    blocks: CommunityBlocks, drawn: Drawn, gaps: Literal["nearest", "own"] = "nearest"
) -> Adopted | None:
    """Snap polygons to a community's blocks.

    Each block goes to the polygon that covers most of it. Ground that nobody covers joins the grid
    with which it shares the longest edge, or becomes a grid of its own. A polygon whose
    blocks do not reach each other becomes several grids.

    Returns
    -------
    Adopted or None
        None where no polygon covers anything of the community.
    """
    share = _shares(blocks, drawn.polygons)
    owner = np.where(share.max(axis=1, initial=0) >= _COVERED, share.argmax(axis=1), -1)
    if (owner < 0).all():
        return None
    issues = _gap_issues(blocks, owner, gaps)
    label = _connected(blocks, owner)
    if gaps == "nearest":
        label = _joined(blocks, label, owner)
    issues += _moved_issues(blocks, drawn, share, owner)
    return _grids(blocks, drawn, label, owner, issues)


def _shares(blocks: CommunityBlocks, polygons: NDArray[np.object_]) -> Float:
    """Part of each block that each polygon covers, shape (n, polygons)."""
    share: Float = np.zeros((len(blocks.keys), max(len(polygons), 1)))
    block, polygon = shapely.STRtree(polygons).query(blocks.polygons, "intersects")
    both = shapely.intersection(blocks.polygons[block], polygons[polygon])
    share[block, polygon] = shapely.area(both) / shapely.area(blocks.polygons[block])
    return share


def _connected(blocks: CommunityBlocks, owner: Int) -> Int:
    """Number the parts of each polygon's blocks that reach each other."""
    borders = blocks.borders
    kin = owner[borders.left] == owner[borders.right]
    return connected_parts(len(owner), borders.left[kin], borders.right[kin])


def _joined(blocks: CommunityBlocks, label: Int, owner: Int) -> Int:
    """Join parts that nobody covers to the neighbour with the longest shared edge."""
    label, borders = label.copy(), blocks.borders
    loose = set(np.unique(label[owner < 0]).tolist())
    while loose:
        edges: dict[tuple[int, int], float] = defaultdict(float)
        for a, b, length in zip(
            label[borders.left].tolist(),
            label[borders.right].tolist(),
            borders.length_m.tolist(),
            strict=True,
        ):
            if (a in loose) != (b in loose):
                edges[(a, b) if a in loose else (b, a)] += length + 1e-9
        if not edges:
            break
        (gap, into), _ = max(edges.items(), key=lambda one: (one[1], one[0]))
        label[label == gap] = into
        loose.discard(gap)
    return label


def _gap_issues(blocks: CommunityBlocks, owner: Int, gaps: str) -> list[Issue]:
    done = "joined to the neighbour" if gaps == "nearest" else "a grid of its own"
    part = _connected(blocks, owner)
    found = []
    for one in np.unique(part[owner < 0]).tolist():
        ground = shapely.coverage_union_all(blocks.polygons[part == one])
        found.append(_issue("gap", (), ground, done))
    return found


def _moved_issues(blocks: CommunityBlocks, drawn: Drawn, share: Float, owner: Int) -> list[Issue]:
    """Ground that a polygon has drawn and another grid gets, if more than a pen's width."""
    area = shapely.area(blocks.polygons_m)
    lost: dict[int, tuple[float, int]] = {}
    for block, polygon in zip(*np.nonzero(share), strict=True):
        if owner[block] != polygon:
            gone = float(share[block, polygon] * area[block])
            held, worst = lost.get(int(polygon), (0.0, int(block)))
            more = share[block, polygon] * area[block] > share[worst, polygon] * area[worst]
            lost[int(polygon)] = held + gone, int(block) if more else worst
    return [
        Issue(
            "moved",
            (drawn.names[polygon],),
            gone,
            shapely.point_on_surface(blocks.polygons[worst]),
            "its edge follows the blocks",
        )
        for polygon, (gone, worst) in sorted(lost.items())
        if gone > _LEAST_M2
    ]


def _grids(
    blocks: CommunityBlocks, drawn: Drawn, label: Int, owner: Int, issues: list[Issue]
) -> Adopted:
    parts: list[tuple[str, ...]] = []
    names: list[str] = []
    first: dict[int, int] = {}
    for one in np.unique(label).tolist():
        members = np.flatnonzero(label == one)
        owners = owner[members][owner[members] >= 0]
        polygon = int(owners[0]) if len(owners) else -1
        name = drawn.names[polygon] if polygon >= 0 else ""
        if polygon >= 0:
            first[polygon] = first.get(polygon, 0) + 1
            if first[polygon] > 1:
                ground = shapely.coverage_union_all(blocks.polygons[members])
                done = "the part is a grid of its own"
                issues.append(_issue("apart", (name,), ground, done))
                name = f"{name} {first[polygon]}"
        parts.append(tuple(blocks.keys[i] for i in members.tolist()))
        names.append(name)
    return Adopted(tuple(parts), tuple(names), tuple(issues))
