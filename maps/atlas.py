"""An atlas of the plan: a page for each grid, with its map and its contact card, as PDF."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import shapely
from markupsafe import Markup, escape
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.roles import preset_role_names
from data.store import shapes_from_wkb
from gis.crs import LocalProjection
from grids.card import Card, card_at
from grids.who import Directory
from maps.change_files import report_pdf
from maps.texts import Texts

__all__ = ["atlas_pdf"]

_SIZE = 600
_GRIDS = text(
    "SELECT grid.code, grid.name, grid.kind, grid.households, division.name AS community, "
    "ST_AsBinary(grid.geom) AS geom FROM grid JOIN division ON division.code = grid.community "
    "WHERE grid.county = :county AND grid.valid @> statement_timestamp() "
    "AND grid.community ^@ :prefix ORDER BY grid.code"
)
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


@dataclass(frozen=True, slots=True)
class _Sheet:
    row: Any
    picture: Markup
    card: Card | None


def atlas_pdf(
    session: Session,
    directory: Directory,
    county: str,
    words: Texts,
    *,
    area: str = "",
    note: str = "",
) -> bytes:
    """Print the published grids of an area, a page for each.

    Parameters
    ----------
    area : str
        What the communities' codes begin with; the whole county where empty.
    note : str
        A line below each card, such as the map's review number.

    Raises
    ------
    NotFoundError
        If no grid is published there.
    """
    rows = session.execute(_GRIDS, {"county": county, "prefix": area}).all()
    if not rows:
        raise NotFoundError(f"no grid is published in {area or county}")
    shapes = shapes_from_wkb([row.geom for row in rows])
    pages = [
        _Sheet(row, _picture(session, county, shape, row.name), _card(directory, shape))
        for row, shape in zip(rows, shapes, strict=True)
    ]
    names = preset_role_names(words.language)
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages_of = jinja2.Environment(loader=loader, autoescape=True).get_template("atlas.html")
    html = pages_of.render(
        pages=pages,
        _=words,
        lang="zh-CN" if words.language == "zh" else "en",
        role=lambda code: names.get(code, code),
        note=note,
    )
    return report_pdf(html)


def _card(directory: Directory, shape: Any) -> Card | None:
    place = shapely.point_on_surface(shape)
    return card_at(directory, place.x, place.y)


def _picture(session: Session, county: str, shape: Any, label: str) -> Markup:
    """A grid with what lies around it, as SVG."""
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
