"""An atlas of the plan: a page for each grid, with its map and its contact card, for print."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import shapely
from markupsafe import Markup
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.roles import role_name_in
from data.store import shapes_from_wkb
from grids.card import Card, card_at
from grids.who import Directory
from maps.grid_picture import grid_picture
from maps.texts import Texts

__all__ = ["atlas_page"]

_GRIDS = text(
    "SELECT grid.code, grid.name, grid.kind, grid.households, division.name AS community, "
    "ST_AsBinary(grid.geom) AS geom FROM grid JOIN division ON division.code = grid.community "
    "WHERE grid.county = :county AND grid.valid @> statement_timestamp() "
    "AND grid.community ^@ :prefix ORDER BY grid.code"
)


@dataclass(frozen=True, slots=True)
class _Sheet:
    row: Any
    picture: Markup
    card: Card | None


def atlas_page(
    session: Session,
    directory: Directory,
    county: str,
    words: Texts,
    *,
    area: str = "",
    note: str = "",
) -> str:
    """The published grids of an area for print (`maps.paper.printed`), a sheet for each.

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
        _Sheet(row, grid_picture(session, county, shape, row.name), _card(directory, shape))
        for row, shape in zip(rows, shapes, strict=True)
    ]
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages_of = jinja2.Environment(loader=loader, autoescape=True).get_template("atlas.html")
    return pages_of.render(
        pages=pages,
        _=words,
        lang="zh-CN" if words.language == "zh" else "en",
        role=role_name_in(words.language),
        note=note,
    )


def _card(directory: Directory, shape: Any) -> Card | None:
    place = shapely.point_on_surface(shape)
    return card_at(directory, place.x, place.y)
