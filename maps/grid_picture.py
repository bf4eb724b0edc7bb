"""A picture of one grid with the streets, water and buildings around it, as SVG."""

from typing import Any

import numpy as np
import shapely
from markupsafe import Markup, escape
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.store import shapes_from_wkb
from gis.crs import LocalProjection

__all__ = ["grid_picture"]

_SIZE = 600
_AROUND = (
    "SELECT ST_AsBinary(ST_Intersection(geom, box)) FROM {table}, "
    "ST_MakeEnvelope(:west, :south, :east, :north, 4326) AS box "
    "WHERE county = :county AND geom && box {more} LIMIT 4000"
)
_LAYERS = {
    "water": ("water", "", 'fill="#b5d8eb" stroke="#9cc7e0"'),
    "building": ("building", "", 'fill="#ddd5c7" stroke="#c9bfae" stroke-width="0.5"'),
    "street": ("street", "", 'fill="none" stroke="#a9a296" stroke-width="1.5"'),
    "grid": (
        "grid",
        "AND valid @> statement_timestamp()",
        'fill="none" stroke="#24415f" stroke-width="1"',
    ),
}


def grid_picture(session: Session, county: str, shape: Any, label: str) -> Markup:
    """Draw a grid with what lies around it, as SVG.

    Parameters
    ----------
    shape : shapely.Geometry
        The grid (EPSG:4326).
    label : str
        What the picture is called for those who do not see it.
    """
    west, south, east, north = shape.bounds
    wide, high = 0.15 * (east - west), 0.15 * (north - south)
    box = {"west": west - wide, "south": south - high, "east": east + wide, "north": north + high}
    local = LocalProjection.around([shape])
    frame = local.forward(np.array([shapely.box(*box.values())], dtype=object))[0]
    scale = _SIZE / max(frame.bounds[2] - frame.bounds[0], frame.bounds[3] - frame.bounds[1])
    parts = []
    for table, more, style in _LAYERS.values():
        query = text(_AROUND.format(table=table, more=more))
        near = shapes_from_wkb(list(session.scalars(query, box | {"county": county})))
        parts += _paths(local.forward(near), frame, scale, style)
    own = local.forward(np.array([shape], dtype=object))
    style = 'fill="#0b5394" fill-opacity="0.12" stroke="#a4161a" stroke-width="3"'
    parts += _paths(own, frame, scale, style)
    size = [(frame.bounds[i + 2] - frame.bounds[i]) * scale for i in (0, 1)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}"'
    title = f' role="img" aria-label="{escape(label)}">'
    return Markup(head + title + "".join(parts) + "</svg>")  # noqa: S704 - numbers, escaped words


def _paths(shapes: Any, frame: Any, scale: float, style: str) -> list[str]:
    drawn = []
    for part in shapely.get_parts(np.asarray(shapes, dtype=object)):
        lines = shapely.get_rings(part) if part.geom_type == "Polygon" else [part]
        path = "".join(_line(line, frame, scale) for line in lines)
        if path:
            drawn.append(f'<path d="{path}" {style} fill-rule="evenodd"/>')
    return drawn


def _line(line: Any, frame: Any, scale: float) -> str:
    xy = shapely.get_coordinates(line)
    if len(xy) < 2:
        return ""
    x = (xy[:, 0] - frame.bounds[0]) * scale
    y = (frame.bounds[3] - xy[:, 1]) * scale
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
