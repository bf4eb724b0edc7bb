"""Beginning a draft from a file of polygons: a plan that was drawn elsewhere."""

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
from data.scope import Scope
from gis.crs import geometries_to_wgs84
from gis.errors import GeometryError
from grids.drafting.workbench import Workbench
from grids.redraw import Drawn, EditRefusedError, Issue, adopt, check_drawn, operation_to_json
from grids.redraw.operations import Adopt

__all__ = ["adopt_file"]

MOST_POLYGONS = 50_000
_NAMES = ("name", "NAME", "名称", "网格名称", "网格", "code", "编码", "id")
_COMMUNITIES = text(
    "SELECT code, ST_AsBinary(geom) AS geom FROM division WHERE county = :county "
    "AND level = 'village' AND geom IS NOT NULL AND code ^@ ANY (:prefixes) "
    "AND ST_Intersects(geom, ST_GeomFromWKB(:ground, 4326)) ORDER BY code"
)


def adopt_file(
    session: Session,
    bench: Workbench,
    scope: Scope,
    path: Path,
    *,
    author: str,
    title: str,
    crs: str | None = None,
    name: str | None = None,
    gaps: Literal["nearest", "own"] = "nearest",
    profile: str = "tongliao",
) -> tuple[Generation, list[Issue]]:
    """Begin a draft whose grids follow the polygons of a file (GPKG, Shapefile, GeoJSON).

    Parameters
    ----------
    crs : str, optional
        Where the file states none; never a guess.
    name : str, optional
        The column with the grids' names; the usual headings where not told.
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
    SourceError, CrsError
        If the file cannot be read, holds no usable polygon, or states no coordinate system.
    """
    names, shapes = _rows(path, crs, name)
    drawn, issues = check_drawn(names, shapes)
    if not drawn.names:
        raise SourceError(f"{path.name} holds no polygon that can be used")
    ground = shapely.union_all(drawn.polygons)
    key = scope.parameters | {"ground": shapely.to_wkb(ground)}
    communities = session.execute(_COMMUNITIES, key).all()
    draft = bench.create(session, scope, author=author, title=title, profile=profile)
    met: dict[str, set[str]] = {}
    for row in communities:
        issues += _adopt_community(session, bench, scope, draft, row.code, drawn, gaps, author, met)
    if draft.head == 0:
        raise SourceError(
            f"the polygons of {path.name} lie outside your area, or change nothing: "
            "is the coordinate system the right one?"
        )
    return draft, issues + _elsewhere(drawn, met)


def _rows(path: Path, crs: str | None, name: str | None) -> tuple[list[str], list[Any]]:
    table = read_vector(path)
    if table.geometries is None:
        raise SourceError(f"{path.name} has no geometry")
    if len(table.rows) > MOST_POLYGONS:
        raise SourceError(f"{path.name} has {len(table.rows)} rows, more than {MOST_POLYGONS}")
    system = stated_crs(table.crs, crs)
    fields = list(table.rows[0]) if table.rows else []
    if name is not None and name not in fields:
        raise SourceError(f"{path.name} has no column {name!r}; there are: {', '.join(fields)}")
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
        raise SourceError(f"{path.name}: {error}") from error
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
