"""Beginning a draft from a file of polygons: a plan that was drawn elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import SourceError
from data.importing.rows import stated_crs
from data.models import Generation
from data.readers.vector import read_vector
from data.sandbox import Limits
from data.scope import Scope
from gis.crs import geometries_to_wgs84
from gis.errors import GeometryError
from grids.drafting.workbench import Workbench
from grids.redraw import Drawn, EditRefusedError, Issue, adopt, check_drawn, operation_to_json
from grids.redraw.operations import Adopt

__all__ = ["DrawnElsewhere", "adopt_drawn", "read_drawn"]

MOST_POLYGONS = 50_000
_NAMES = ("name", "NAME", "名称", "网格名称", "网格", "code", "编码", "id")
_COMMUNITIES = text(
    "SELECT code, ST_AsBinary(geom) AS geom FROM division WHERE county = :county "
    "AND level = 'village' AND geom IS NOT NULL AND code ^@ ANY (:prefixes) "
    "AND ST_Intersects(geom, ST_GeomFromWKB(:ground, 4326)) ORDER BY code"
)


@dataclass(frozen=True, slots=True)
class DrawnElsewhere:
    """Polygons of a file that can be used, and what is wrong with the others.

    Attributes
    ----------
    called : str
        What the file is called.
    """

    called: str
    drawn: Drawn
    issues: tuple[Issue, ...]


def read_drawn(
    path: Path,
    *,
    called: str = "",
    crs: str | None = None,
    name: str | None = None,
    limits: Limits | None = None,
) -> DrawnElsewhere:
    """Read the polygons of a file (GPKG, Shapefile, GeoJSON), outside every transaction.

    Parameters
    ----------
    called : str
        What its author calls the file, for messages.
    crs : str, optional
        Where the file states none; never a guess.
    name : str, optional
        The column with the grids' names; the usual headings where not told.
    limits : Limits, optional
        As in `data.readers.read_vector`.

    Raises
    ------
    SourceError, CrsError
        If the file cannot be read, holds no usable polygon, or states no coordinate system.
    """
    called = called or path.name
    names, shapes = _rows(path, called, crs, name, limits=limits)
    drawn, issues = check_drawn(names, shapes)
    if not drawn.names:
        raise SourceError(f"{called} holds no polygon that can be used")
    return DrawnElsewhere(called, drawn, tuple(issues))


def adopt_drawn(
    session: Session,
    bench: Workbench,
    scope: Scope,
    elsewhere: DrawnElsewhere,
    *,
    author: str,
    title: str,
    gaps: Literal["nearest", "own"] = "nearest",
    profile: str = "tongliao",
) -> tuple[Generation, list[Issue]]:
    """Begin a draft whose grids follow polygons that were drawn elsewhere.

    Parameters
    ----------
    gaps : str
        What becomes of ground that no polygon covers: it joins the ``nearest`` grid, or is a
        grid of its ``own``.

    Returns
    -------
    Generation
    list of Issue
        Everything that was mended, moved or left out.

    Raises
    ------
    SourceError
        If the polygons lie elsewhere, or change nothing.
    """
    drawn, issues = elsewhere.drawn, list(elsewhere.issues)
    ground = shapely.union_all(drawn.polygons)
    key = scope.parameters | {"ground": shapely.to_wkb(ground)}
    communities = session.execute(_COMMUNITIES, key).all()
    draft = bench.create(session, scope, author=author, title=title, profile=profile)
    met: dict[str, set[str]] = {}
    for row in communities:
        issues += _adopt_community(session, bench, scope, draft, row.code, drawn, gaps, author, met)
    if draft.head == 0:
        raise SourceError(
            f"the polygons of {elsewhere.called} lie outside your area, or change nothing: "
            "is the coordinate system the right one?"
        )
    return draft, issues + _elsewhere(drawn, met)


def _rows(
    path: Path, called: str, crs: str | None, name: str | None, *, limits: Limits | None
) -> tuple[list[str], list[Any]]:
    table = read_vector(path, name=called, limits=limits)
    if not table.geometries:
        raise SourceError(f"{called} has no geometry")
    if len(table.rows) > MOST_POLYGONS:
        raise SourceError(f"{called} has {len(table.rows)} rows, more than {MOST_POLYGONS}")
    system = stated_crs(table.crs, crs)
    fields = list(table.rows[0]) if table.rows else []
    if name is not None and name not in fields:
        raise SourceError(f"{called} has no column {name!r}; there are: {', '.join(fields)}")
    column = name or next((one for one in _NAMES if one in fields), None)
    names = [
        str(row.get(column) or f"#{n}") if column else f"#{n}"
        for n, row in enumerate(table.rows, 1)
    ]
    shapes = np.empty(len(table.geometries), dtype=object)
    shapes[:] = table.geometries
    there = np.array([one is not None and not shapely.is_empty(one) for one in shapes], bool)
    try:
        shapes[there] = geometries_to_wgs84(shapes[there], system)
    except GeometryError as error:
        raise SourceError(f"{called}: {error}") from error
    return names, shapes.tolist()


def _adopt_community(
    session: Session,
    bench: Workbench,
    scope: Scope,
    draft: Generation,
    code: str,
    drawn: Drawn,
    gaps: Literal["nearest", "own"],
    author: str,
    met: dict[str, set[str]],
) -> list[Issue]:
    base = bench.base(session, draft, code)
    near = shapely.STRtree(drawn.polygons).query(
        shapely.box(*shapely.total_bounds(base.blocks.polygons))
    )
    order = np.sort(near)
    some = Drawn(tuple(drawn.names[i] for i in order.tolist()), drawn.polygons[order])
    found = adopt(base.blocks, some, gaps) if len(order) else None
    if found is None:
        return []
    for name in filter(None, found.names):
        met.setdefault(name, set()).add(code)
    asked = operation_to_json(Adopt(code, found.parts, found.names))
    try:
        bench.edit(session, scope, draft.id, draft.version, asked, author=author)
    except EditRefusedError as error:
        if error.rule != "nothing":
            raise
    return list(found.issues)


def _elsewhere(drawn: Drawn, met: dict[str, set[str]]) -> list[Issue]:
    """Polygons that reach over several communities, and those that made no grid."""
    found = []
    for name, polygon in zip(drawn.names, drawn.polygons, strict=True):
        place = shapely.point_on_surface(polygon)
        if name not in met:
            found.append(Issue("outside", (name,), 0.0, place, "no block lies mostly in it"))
        elif len(met[name]) > 1:
            done = "a grid in each of its communities"
            found.append(Issue("across", (name,), 0.0, place, done))
    return found
