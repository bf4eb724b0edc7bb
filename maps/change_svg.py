"""A community's grids before and after as plain pictures, for pages and print alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from markupsafe import Markup, escape

from gis.crs import LocalProjection
from grids.drafting.conflicts import FormerGrid
from grids.redraw import CommunityPlan

__all__ = ["conflict_pictures", "plan_picture"]

_SIZE = 460
# Crameri's vik for too small and too large, as on the workbench.
_FILLS = {"under": "#5b9bc4", "within": "#e6e1d6", "over": "#c4694b", "dedicated": "#b9a6cf"}


@dataclass(frozen=True, slots=True)
class DrawnGrid:
    """A grid as a picture shows it.

    Attributes
    ----------
    size : str
        ``under``, ``within``, ``over`` the range, or ``dedicated``.
    polygon : shapely polygon or multipolygon, EPSG:4326
    bold : bool
        Whether its edge is drawn bold.
    """

    label: str
    households: int
    size: str
    polygon: Any
    bold: bool = False


def plan_picture(plan: CommunityPlan, marked: frozenset[str], label: str) -> Markup:
    """Draw the grids of a community as SVG; those marked have a bold edge.

    Parameters
    ----------
    marked : frozenset of str
        Keys of grids that the draft changes.
    label : str
        What the picture shows, for those who do not see it.
    """
    ground = plan.blocks.ground
    drawn = [
        DrawnGrid(
            (grid.code or grid.key)[12:],
            figures.households,
            ground.state_of(grid.kind, figures.households),
            figures.polygon,
            grid.key in marked,
        )
        for grid, figures in zip(plan.grids, plan.figures, strict=True)
    ]
    return _picture(drawn, ground.local, label)


def conflict_pictures(
    former: Sequence[FormerGrid], now: CommunityPlan, labels: tuple[str, str]
) -> tuple[Markup, Markup]:
    """A community as a draft had it, and as it is; what differs has bold edges.

    Parameters
    ----------
    labels : tuple of str
        What each picture shows, for those who do not see it.
    """
    ground = now.blocks.ground
    before = {one.key: one.polygon for one in former}
    after = {key: figures.polygon for key, figures in zip(now.keys, now.figures, strict=True)}
    differ = frozenset(
        key
        for key in before.keys() | after.keys()
        if key not in before or key not in after or not before[key].equals(after[key])
    )
    drawn = [
        DrawnGrid(
            (one.code or one.key)[12:],
            one.households,
            ground.state_of(one.kind, one.households),
            one.polygon,
            one.key in differ,
        )
        for one in former
    ]
    return _picture(drawn, ground.local, labels[0]), plan_picture(now, differ, labels[1])


def _picture(grids: Sequence[DrawnGrid], local: LocalProjection, label: str) -> Markup:
    """Draw grids as SVG, in a local projection."""
    shapes = local.forward(np.array([one.polygon for one in grids], dtype=object))
    west, south, east, north = shapely.total_bounds(shapes)
    scale = _SIZE / max(east - west, north - south, 1.0)
    wide, high = (east - west) * scale, (north - south) * scale
    box = f"-4 -4 {wide + 8:.0f} {high + 8:.0f}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" class="plan"'
    parts = [f'{head} aria-label="{escape(label)}">']
    # Bold ones last: their edges lie on top.
    for i in sorted(range(len(grids)), key=lambda i: grids[i].bold):
        edge, width = ("#a4161a", 3) if grids[i].bold else ("#24415f", 1)
        parts.append(
            f'<path d="{_path(shapes[i], west, north, scale)}" fill="{_FILLS[grids[i].size]}" '
            f'stroke="{edge}" stroke-width="{width}" '
            'stroke-linejoin="round" fill-rule="evenodd"/>'
        )
    for grid, shape in zip(grids, shapes, strict=True):
        place = shapely.point_on_surface(shape)
        parts += _words(grid, (place.x - west) * scale, (north - place.y) * scale)
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and escaped words


def _path(shape: Any, west: float, north: float, scale: float) -> str:
    drawn = []
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        xy = shapely.get_coordinates(ring)
        points = np.column_stack([(xy[:, 0] - west) * scale, (north - xy[:, 1]) * scale])
        drawn.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z")
    return "".join(drawn)


def _words(grid: DrawnGrid, x: float, y: float) -> list[str]:
    # The halo is drawn first, as a text of its own: print knows no order of painting.
    lines = [(y, grid.label), (y + 13, grid.households)]
    styles = ('stroke="#fff" stroke-width="3"', 'fill="#16202b"')
    return [
        f'<text x="{x:.1f}" y="{at:.1f}" text-anchor="middle" font-size="12" {style}>'
        f"{escape(word)}</text>"
        for style in styles
        for at, word in lines
    ]
