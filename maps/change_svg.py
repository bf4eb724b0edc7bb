"""A community's grids before and after as plain pictures, for pages and print alike."""

from typing import Any

import numpy as np
import shapely
from markupsafe import Markup, escape

from grids.redraw import CommunityPlan

__all__ = ["plan_picture"]

_SIZE = 460
# Crameri's vik for too small and too large, as on the workbench.
_FILLS = {"under": "#5b9bc4", "within": "#e6e1d6", "over": "#c4694b", "dedicated": "#b9a6cf"}


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
    shapes = ground.local.forward(
        np.array([figures.polygon for figures in plan.figures], dtype=object)
    )
    west, south, east, north = shapely.total_bounds(shapes)
    scale = _SIZE / max(east - west, north - south, 1.0)
    wide, high = (east - west) * scale, (north - south) * scale
    box = f"-4 -4 {wide + 8:.0f} {high + 8:.0f}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" class="plan"'
    parts = [f'{head} aria-label="{escape(label)}">']
    # Marked ones last: their bold edges lie on top.
    order = sorted(range(len(shapes)), key=lambda i: plan.keys[i] in marked)
    for i in order:
        bold = plan.keys[i] in marked
        parts.append(
            f'<path d="{_path(shapes[i], west, north, scale)}" fill="{_FILLS[_state(plan, i)]}" '
            f'stroke="{"#a4161a" if bold else "#24415f"}" stroke-width="{3 if bold else 1}" '
            'stroke-linejoin="round" fill-rule="evenodd"/>'
        )
    for i in range(len(shapes)):
        parts += _words(plan, i, shapes[i], west, north, scale)
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and escaped words


def _state(plan: CommunityPlan, i: int) -> str:
    ground = plan.blocks.ground
    size = ground.size_of(plan.figures[i].households)
    if plan.grids[i].kind == "dedicated":
        return "dedicated"
    if size < ground.size.least:
        return "under"
    return "over" if size > ground.size.most else "within"


def _path(shape: Any, west: float, north: float, scale: float) -> str:
    drawn = []
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        xy = shapely.get_coordinates(ring)
        points = np.column_stack([(xy[:, 0] - west) * scale, (north - xy[:, 1]) * scale])
        drawn.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z")
    return "".join(drawn)


def _words(
    plan: CommunityPlan, i: int, shape: Any, west: float, north: float, scale: float
) -> list[str]:
    place = shapely.point_on_surface(shape)
    x, y = (place.x - west) * scale, (north - place.y) * scale
    grid = plan.grids[i]
    short = (grid.code or grid.key)[12:]
    # The halo is drawn first, as a text of its own: print knows no order of painting.
    lines = [(y, short), (y + 13, plan.figures[i].households)]
    styles = ('stroke="#fff" stroke-width="3"', 'fill="#16202b"')
    return [
        f'<text x="{x:.1f}" y="{at:.1f}" text-anchor="middle" font-size="12" {style}>'
        f"{escape(word)}</text>"
        for style in styles
        for at, word in lines
    ]
