"""Slicing a coverage along a drawn line so that it stays a coverage.

Where the line meets an edge, one point is computed and set into the rings of all pieces that
share the edge: neighbours still meet vertex for vertex, and no other vertex moves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import adjacency
from gis.errors import GeometryError

__all__ = ["Sliced", "refine", "slice_coverage", "stitch"]

Geometries = NDArray[np.object_]
Float = NDArray[np.float64]
Segment = tuple[float, float, float, float]
Point = tuple[float, float]
Nodes = dict[Segment, list[Point]]

# Nearer than this to a vertex, a crossing is that vertex: a tenth of a millimetre in degrees.
_SAME = 1e-9
MOST_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Sliced:
    """What a line did to a coverage.

    Attributes
    ----------
    pieces : dict of int to ndarray of shapely polygons
        For each sliced polygon, by its position, what it became: two pieces or more, from
        west to east, then from south to north.
    refined : dict of int to shapely polygon
        Polygons that only gained a vertex.
    nodes : dict of tuple to list of tuple
        The points that each edge gained, from its lesser end on.
    """

    pieces: dict[int, Geometries]
    refined: dict[int, Any]
    nodes: Nodes


def slice_coverage(
    polygons: Any,
    line: Any,
    chosen: NDArray[np.bool_] | None = None,
    is_sliver: Callable[[Geometries], NDArray[np.bool_]] | None = None,
) -> Sliced:
    """Slice the polygons that a line runs through.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,)
        A valid coverage, in any plane system.
    line : shapely line
        In the same system; it must not cross itself.
    chosen : ndarray of bool, shape (n,), optional
        Which may be sliced; all by default.
    is_sliver : callable, optional
        Says which of a polygon's pieces are too small: they stay with a neighbour.

    Returns
    -------
    Sliced
        Nothing in it where the line runs through no polygon.

    Raises
    ------
    GeometryError
        If the line is empty, not finite, crosses itself or has too many points.

    Notes
    -----
    O(s·t) for s edges of the polygons that the line touches and t segments of the line.

    Examples
    --------
    >>> row = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    >>> done = slice_coverage(row, shapely.LineString([(1, -1), (1, 3)]))
    >>> {k: [p.area for p in v] for k, v in done.pieces.items()}
    {0: [2.0, 2.0]}
    """
    shapes = np.asarray(polygons, dtype=object)
    drawn = _require_line(line)
    touched = np.flatnonzero(shapely.intersects(shapes, line))
    mine = touched if chosen is None else touched[chosen[touched]]
    if not mine.size:
        return Sliced({}, {}, {})
    edges = _edges(shapes[mine])
    at_edge, track = _crossings(edges, drawn)
    steps = _steps(track)
    pieces: dict[int, Geometries] = {}
    for position in mine.tolist():
        found = _pieces_of(shapes[position], at_edge, steps)
        if is_sliver is not None and len(found) > 1:
            found = _join_slivers(found, is_sliver(found))
        if len(found) > 1:
            pieces[position] = found
    nodes = _used(at_edge, pieces)
    refined = {
        position: refine(shapes[position], nodes)
        for position in touched.tolist()
        if position not in pieces and _has_any(shapes[position], nodes)
    }
    return Sliced(pieces, refined, nodes)


def refine(polygon: Any, nodes: Nodes) -> Any:
    """Set points into the rings of a polygon or multipolygon.

    Parameters
    ----------
    polygon : shapely polygon or multipolygon
    nodes : dict
        As in `Sliced.nodes`: edges that the polygon lacks do not matter.

    Examples
    --------
    >>> square = shapely.box(0, 0, 2, 2)
    >>> refined = refine(square, {(0.0, 0.0, 0.0, 2.0): [(0.0, 1.0)]})
    >>> len(square.exterior.coords), len(refined.exterior.coords)
    (5, 6)
    """
    parts = [
        shapely.Polygon(
            _refined_ring(part.exterior, nodes),
            [_refined_ring(ring, nodes) for ring in part.interiors],
        )
        for part in shapely.get_parts(polygon)
    ]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def stitch(polygons: Any, points: Float) -> Geometries:
    """Set points that lie on edges into the rings of polygons, so that they meet others there.

    Parameters
    ----------
    polygons : array of shapely polygons or multipolygons, shape (n,)
    points : ndarray of float64, shape (p, 2)

    Returns
    -------
    ndarray of shapely geometries, shape (n,)
        The same objects where no point lies on an edge.

    Examples
    --------
    >>> row = [shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 1)]
    >>> done = stitch(row, np.array([[1.0, 0.5]]))
    >>> len(done[0].exterior.coords), done[1] is row[1]
    (6, True)
    """
    shapes = np.array([*polygons, None], dtype=object)[:-1]
    spots = shapely.points(points)
    shape, spot = shapely.STRtree(spots).query(shapely.boundary(shapes), "dwithin", distance=_SAME)
    for position in np.unique(shape).tolist():
        nodes = _nodes_on(_edges(shapes[[position]]), points[spot[shape == position]])
        if nodes:
            shapes[position] = refine(shapes[position], nodes)
    return shapes


def _nodes_on(edges: Float, points: Float) -> Nodes:
    """The points that lie on each edge, but for its ends."""
    a, along = edges[:, :2], edges[:, 2:] - edges[:, :2]
    length = np.hypot(*along.T)
    found: dict[Segment, list[Point]] = {}
    for point in points:
        off = point - a
        t = (off * along).sum(axis=1) / length**2
        far = np.abs(off[:, 0] * along[:, 1] - off[:, 1] * along[:, 0]) / length
        on = (far <= _SAME) & (t > _SAME / length) & (t < 1 - _SAME / length)
        for i in np.flatnonzero(on).tolist():
            found.setdefault(_segment(edges[i]), []).append(_point(point))
    return {edge: _in_order(edge, spots) for edge, spots in found.items()}


def _require_line(line: Any) -> Float:
    if shapely.get_type_id(line) != shapely.GeometryType.LINESTRING or shapely.is_empty(line):
        raise GeometryError("a line of two points or more is needed")
    xy: Float = shapely.get_coordinates(line)
    if not np.isfinite(xy).all():
        raise GeometryError("the line has a coordinate that is no number")
    if len(xy) > MOST_POINTS:
        raise GeometryError(f"the line has {len(xy)} points, more than {MOST_POINTS}")
    if not shapely.is_simple(line):
        x, y = xy[0]
        raise GeometryError(f"the line that begins at {x:.6f}, {y:.6f} crosses itself")
    moves = np.append(True, np.hypot(*np.diff(xy, axis=0).T) > _SAME)
    if moves.sum() < 2:
        raise GeometryError("a line of two points or more is needed")
    kept: Float = xy[moves]
    return kept


def _edges(shapes: Geometries) -> Float:
    """Edges of polygons, each once, from the lesser end on; shape (s, 4)."""
    rings = shapely.get_rings(shapely.get_parts(shapes))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    start, end = xy[:-1][same], xy[1:][same]
    flip = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    edges = np.where(flip[:, None], np.hstack([end, start]), np.hstack([start, end]))
    return np.unique(edges, axis=0)


def _crossings(edges: Float, drawn: Float) -> tuple[Nodes, list[Point]]:
    """Points of the line on each edge, and the line with all of them in it."""
    nodes: Nodes = {}
    track: list[Point] = [_point(drawn[0])]
    for start, end in pairwise(drawn):
        met = _met(edges, start, end, nodes)
        for _, point in sorted(met):
            if point != track[-1]:
                track.append(point)
        last = _point(end)
        if np.hypot(last[0] - track[-1][0], last[1] - track[-1][1]) > _SAME:
            track.append(last)
    for edge, points in nodes.items():
        nodes[edge] = _in_order(edge, points)
    return nodes, track


def _met(edges: Float, start: Float, end: Float, nodes: Nodes) -> list[tuple[float, Point]]:
    """Where one segment of the line meets edges; notes the points that edges gain."""
    a, b = edges[:, :2], edges[:, 2:]
    along, way = b - a, end - start
    cross = along[:, 0] * way[1] - along[:, 1] * way[0]
    length, reach = np.hypot(*along.T), float(np.hypot(*way))
    from_a = start - a
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (from_a[:, 0] * way[1] - from_a[:, 1] * way[0]) / cross
        u = (from_a[:, 0] * along[:, 1] - from_a[:, 1] * along[:, 0]) / cross
    slack_t, slack_u = _SAME / length, _SAME / reach
    flat = np.abs(cross) <= 1e-12 * length * reach
    hit = ~flat & (t >= -slack_t) & (t <= 1 + slack_t) & (u >= -slack_u) & (u <= 1 + slack_u)
    found: list[tuple[float, Point]] = []
    for i in np.flatnonzero(hit).tolist():
        place = a[i] + t[i] * along[i]
        point = _known(place, (a[i], b[i])) or _known(place, (start, end)) or _point(place)
        if point not in {_point(a[i]), _point(b[i])}:
            nodes.setdefault(_segment(edges[i]), []).append(point)
        found.append((float(u[i]), point))
    return found + _laid_along(edges[flat], start, end, nodes)


def _laid_along(edges: Float, start: Float, end: Float, nodes: Nodes) -> list[tuple[float, Point]]:
    """Ends of edges on a segment that runs along them, and ends of it on them."""
    way = end - start
    reach = float(np.hypot(*way))
    found: list[tuple[float, Point]] = []
    for edge in edges:
        for corner in (edge[:2], edge[2:]):
            off = corner - start
            u = float(off @ way) / reach**2
            if abs(off[0] * way[1] - off[1] * way[0]) <= _SAME * reach and 0 <= u <= 1:
                found.append((u, _point(corner)))
        along = edge[2:] - edge[:2]
        length = float(np.hypot(*along))
        for tip in (start, end):
            off = tip - edge[:2]
            t = float(off @ along) / length**2
            near = abs(off[0] * along[1] - off[1] * along[0]) <= _SAME * length
            if near and _SAME / length < t < 1 - _SAME / length:
                nodes.setdefault(_segment(edge), []).append(_point(tip))
    return found


def _known(place: Float, ends: tuple[Float, Float]) -> Point | None:
    for corner in ends:
        if np.hypot(*(place - corner)) <= _SAME:
            return _point(corner)
    return None


def _point(xy: Any) -> Point:
    return float(xy[0]), float(xy[1])


def _segment(edge: Float) -> Segment:
    return float(edge[0]), float(edge[1]), float(edge[2]), float(edge[3])


def _in_order(edge: Segment, points: Iterable[Point]) -> list[Point]:
    """Points of an edge from its lesser end on, each once."""
    x, y, right, top = edge
    return sorted(set(points), key=lambda p: (p[0] - x) * (right - x) + (p[1] - y) * (top - y))


def _key(one: Point, two: Point) -> Segment:
    return (*one, *two) if one < two else (*two, *one)


def _steps(track: list[Point]) -> set[Segment]:
    """The line's segments between all points that it meets, each once."""
    return {_key(one, two) for one, two in pairwise(track) if one != two}


def _refined_ring(ring: Any, nodes: Nodes) -> list[Point]:
    xy = [_point(p) for p in shapely.get_coordinates(ring)]
    out = [xy[0]]
    for one, two in pairwise(xy):
        added = nodes.get(_key(one, two), ())
        out += added if one < two else list(reversed(added))
        out.append(two)
    return out


def _ring_edges(polygon: Any) -> set[Segment]:
    found: set[Segment] = set()
    for ring in shapely.get_rings(polygon):
        xy = [_point(p) for p in shapely.get_coordinates(ring)]
        found |= {_key(one, two) for one, two in pairwise(xy)}
    return found


def _has_any(polygon: Any, nodes: Nodes) -> bool:
    return not _ring_edges(polygon).isdisjoint(nodes)


def _pieces_of(polygon: Any, nodes: Nodes, steps: set[Segment]) -> Geometries:
    """Faces of a polygon's edges and the line's steps inside it."""
    refined = refine(polygon, nodes)
    outline = _ring_edges(refined)
    free = np.array(sorted(steps - outline), float).reshape(-1, 4)
    lines = shapely.linestrings(free.reshape(-1, 2, 2))
    shapely.prepare(refined)
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    inside = lines[shapely.contains(refined, middle)]
    if not len(inside):
        return np.array([refined], dtype=object)
    walls = shapely.linestrings(np.array(sorted(outline), float).reshape(-1, 2, 2))
    faces = shapely.get_parts(shapely.polygonize([*walls, *inside]))
    kept = faces[shapely.contains(refined, shapely.point_on_surface(faces))]
    centre = shapely.centroid(kept)
    found: Geometries = kept[np.lexsort((shapely.get_y(centre), shapely.get_x(centre)))]
    return found


def _join_slivers(pieces: Geometries, sliver: NDArray[np.bool_]) -> Geometries:
    """Join each sliver to the piece with which it shares the longest edge."""
    while sliver.any() and len(pieces) > 1:
        graph = adjacency(pieces)
        one = int(np.flatnonzero(sliver)[0])
        own = (graph.left == one) | (graph.right == one)
        if not own.any():
            sliver = sliver.copy()
            sliver[one] = False
            continue
        best = np.flatnonzero(own)[np.argmax(graph.length_m[own])]
        other = int(graph.left[best] + graph.right[best]) - one
        pieces = pieces.copy()
        pieces[other] = shapely.coverage_union_all(pieces[[one, other]])
        pieces, sliver = np.delete(pieces, one), np.delete(sliver, one)
    return pieces


def _used(nodes: Nodes, pieces: dict[int, Geometries]) -> Nodes:
    """The points that pieces really have."""
    corners: set[Point] = set()
    for found in pieces.values():
        corners |= {_point(p) for p in shapely.get_coordinates(found)}
    kept = {edge: [p for p in points if p in corners] for edge, points in nodes.items()}
    return {edge: points for edge, points in kept.items() if points}
