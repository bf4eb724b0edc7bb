from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import GeometryError
from gis.locator import Locator
from tests.invariants import random_coverage_wgs84


def covering_codes(pieces, codes, lon: float, lat: float) -> list[str]:
    """Codes of the areas that cover a place, by fractions: no rounding anywhere."""
    return sorted(
        code for piece, code in zip(pieces, codes, strict=True) if covers(piece, lon, lat)
    )


def covers(piece, lon: float, lat: float) -> bool:
    west, south, east, north = piece.bounds
    if not (west <= lon <= east and south <= lat <= north):
        return False
    odd = False
    for part in shapely.get_rings(shapely.get_parts(piece)):
        ring = shapely.get_coordinates(part).tolist()
        for (ax, ay), (bx, by) in pairwise(ring):
            if not min(ay, by) <= lat <= max(ay, by):
                continue
            turn = turn_of(ax, ay, bx, by, lon, lat)
            if turn == 0 and min(ax, bx) <= lon <= max(ax, bx):
                return True
            odd ^= (ay <= lat) != (by <= lat) and (turn > 0) == (by > ay)
    return odd


def turn_of(ax, ay, bx, by, x, y):
    """Positive where x, y lies left of a → b; by fractions but where it is plain."""
    left, right = (bx - ax) * (y - ay), (by - ay) * (x - ax)
    if abs(left - right) > 1e-6 * (abs(left) + abs(right)):
        return left - right
    ax, ay, bx, by, x, y = map(Fraction, (ax, ay, bx, by, x, y))
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)


_MOST_PLACES = 60


def places_of(pieces, rng: np.random.Generator) -> np.ndarray:
    """Vertices, points on edges, next to both, and anywhere."""
    west, south, east, north = shapely.total_bounds(pieces)
    corners = shapely.get_coordinates(pieces)
    middles = corners[:-1] + (corners[1:] - corners[:-1]) * rng.random((len(corners) - 1, 1))
    near = np.vstack([corners, middles])
    near = near[rng.permutation(len(near))[:_MOST_PLACES]]
    signs = rng.choice([-1.0, 1.0], near.shape)
    away = np.column_stack(
        [
            rng.uniform(west - 1e-4, east + 1e-4, 60),
            rng.uniform(south - 1e-4, north + 1e-4, 60),
        ]
    )
    level = np.column_stack([rng.choice(corners[:, 0], 40), rng.choice(corners[:, 1], 40)])
    return np.vstack([near, np.nextafter(near, signs * np.inf), near + signs * 1e-9, level, away])


def assert_exact(pieces, codes, points) -> None:
    locator = Locator(pieces, codes)
    found = locator.locate(points[:, 0], points[:, 1])
    for row, (lon, lat) in enumerate(points.tolist()):
        expected = covering_codes(pieces, codes, lon, lat)
        assert found.count[row] == len(expected), (lon, lat)
        first = codes[found.area[row]] if found.area[row] >= 0 else None
        assert first == (expected[0] if expected else None), (lon, lat)
        assert [codes[i] for i in locator.candidates(lon, lat)] == expected
        assert locator.find(lon, lat) == found.area[row]


@given(st.integers(0, 2**32 - 1))
def test_a_coverage_is_answered_exactly_on_every_kind_of_place(seed: int) -> None:
    pieces = random_coverage_wgs84(seed)
    rng = np.random.default_rng(seed)
    codes = [f"{number:03d}" for number in rng.permutation(len(pieces))]
    assert_exact(pieces, codes, places_of(pieces, rng))


@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
def test_areas_that_overlap_are_all_found(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    # On a coarse lattice, so that edges run along each other and corners fall on edges.
    corner = rng.integers(0, 6, (count, 2)) / 4
    size = rng.integers(1, 5, (count, 2)) / 4
    pieces = shapely.box(*corner.T, *(corner + size).T)
    codes = [f"{number:03d}" for number in rng.permutation(count)]
    lattice = np.stack(np.meshgrid(np.arange(11) / 4, np.arange(11) / 4), axis=-1).reshape(-1, 2)
    near = np.nextafter(lattice, rng.choice([-np.inf, np.inf], lattice.shape))
    assert_exact(pieces, codes, np.vstack([lattice, near]))


@given(st.integers(0, 2**32 - 1))
def test_holes_islands_and_the_poles_of_holes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 24))
    star = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(0.5, 1, (24, 1))
    here, there = np.array([120.0, 24.0]), np.array([125.0, 24.0])
    ring = shapely.Polygon(3 * star + here, [star + here])
    island = shapely.Polygon(0.5 * star + here)
    far = shapely.Polygon(star + there)
    pieces = np.array([ring, shapely.MultiPolygon([island, far])], dtype=object)
    points = np.vstack([places_of(pieces, rng), [here, there]])
    assert_exact(pieces, ["b", "a"], points)


@pytest.mark.parametrize(
    ("west", "east"), [(179.9, 180.0), (-180.0, -179.9), (-1e-7, 1e-7), (0.0, 360.0)]
)
def test_the_edge_of_the_world_the_null_meridian_and_all_of_it(west: float, east: float) -> None:
    middle = (west + east) / 2
    pieces = np.array([shapely.box(west, -1, middle, 1), shapely.box(middle, -1, east, 1)])
    rng = np.random.default_rng(0)
    assert_exact(pieces, ["a", "b"], places_of(pieces, rng))


def test_many_areas_at_one_corner() -> None:
    angle = np.linspace(0, 2 * np.pi, 201)[:-1]
    rim = np.column_stack([np.cos(angle), np.sin(angle)])
    pieces = np.array(
        [shapely.Polygon([(0, 0), rim[i], rim[(i + 1) % 200]]) for i in range(200)], dtype=object
    )
    codes = [f"{i:03d}" for i in range(200)]
    points = np.vstack([[[0.0, 0.0], [1e-300, 0.0], [1e-13, 1e-13]], rim * 0.5, rim])
    assert_exact(pieces, codes, points)


def test_find_outlives_its_locator() -> None:
    find = Locator(shapely.box(np.arange(300.0), 0, np.arange(300.0) + 1, 1), ["a"] * 300).find
    Locator(shapely.box(np.arange(300.0), 5, np.arange(300.0) + 1, 6), ["a"] * 300)
    assert [find(x + 0.5, 0.5) for x in range(300)] == list(range(300))


def test_threads_give_the_same_answer() -> None:
    pieces = random_coverage_wgs84(5)
    rng = np.random.default_rng(5)
    points = places_of(pieces, rng)
    locator = Locator(pieces, [f"{i:03d}" for i in range(len(pieces))])
    one = locator.locate(points[:, 0], points[:, 1])
    two = locator.locate(points[:, 0], points[:, 1], threads=3)
    assert np.array_equal(one.area, two.area)
    assert np.array_equal(one.count, two.count)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_point_without_finite_coordinates_is_named(bad: float, threads: int) -> None:
    locator = Locator([shapely.box(0, 0, 1, 1)], ["a"])
    with pytest.raises(GeometryError, match="point 1 has no finite"):
        locator.locate([0.5, bad], [0.5, 0.5], threads=threads)
    assert locator.find(bad, 0.5) == -1


def test_what_cannot_be_located_in_is_refused() -> None:
    square = shapely.box(0, 0, 1, 1)
    with pytest.raises(GeometryError, match="1 polygons but 2 codes"):
        Locator([square], ["a", "b"])
    with pytest.raises(GeometryError, match="area 1 is no polygon"):
        Locator([square, shapely.Point(0, 0)], ["a", "b"])
    with pytest.raises(GeometryError, match="area 0 has a coordinate"):
        Locator([shapely.transform(square, lambda xy: np.where(xy == 1, np.inf, xy))], ["a"])
    with pytest.raises(GeometryError, match="2 longitudes but 1 latitudes"):
        Locator([square], ["a"]).locate([0.5, 0.5], [0.5])


def test_no_area_at_all_answers_nowhere() -> None:
    assert Locator([], []).locate([1.0], [1.0]).area.tolist() == [-1]
    assert Locator([shapely.Polygon()], ["a"]).find(0.0, 0.0) == -1


def redrawn_pieces(rng: np.random.Generator, pieces, codes):
    """Some pieces taken out, joined with a neighbour or moved a little, others put in."""
    out = rng.choice(len(pieces), rng.integers(1, min(4, len(pieces)) + 1), replace=False)
    moved = [shapely.affinity.translate(pieces[i], *rng.uniform(-5e-4, 5e-4, 2)) for i in out]
    new = np.array([*moved, shapely.union_all(pieces[out])], dtype=object)
    return [codes[i] for i in out], new, [f"{rng.integers(1000):03d}n{i}" for i in range(len(new))]


@given(st.integers(0, 2**32 - 1))
def test_redrawing_some_areas_equals_building_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = dict(enumerate(random_coverage_wgs84(seed)))
    pieces, codes = np.array([*held.values()], dtype=object), [f"{i:03d}" for i in held]
    locator = Locator(pieces, codes)
    for _ in range(3):
        gone, new, fresh = redrawn_pieces(rng, pieces, codes)
        before = locator
        locator = locator.redrawn(gone, new, fresh)
        stay = [i for i, code in enumerate(codes) if code not in gone]
        old_codes, old_pieces = codes, pieces
        pieces = np.concatenate([pieces[stay], new])
        codes = [codes[i] for i in stay] + fresh
        points = places_of(pieces, rng)
        assert_same_answers(locator, Locator(pieces, codes), points)
    assert_same_answers(before, Locator(old_pieces, old_codes), points)


def assert_same_answers(one: Locator, other: Locator, points) -> None:
    for lon, lat in points.tolist():
        ours = [one.codes[i] for i in one.candidates(lon, lat)]
        assert ours == [other.codes[i] for i in other.candidates(lon, lat)], (lon, lat)


def test_areas_that_stay_keep_their_positions() -> None:
    row = shapely.box(np.arange(4.0), 0, np.arange(4.0) + 1, 1)
    locator = Locator(row, ["a", "b", "c", "d"])
    joined = locator.redrawn(["b", "c"], [shapely.box(1, 0, 3, 1)], ["e"])
    assert joined.codes.tolist() == ["a", "e", "", "d"]
    assert joined.locate([0.5, 1.5, 2.5, 3.5], [0.5] * 4).area.tolist() == [0, 1, 1, 3]
    split = joined.redrawn(["a"], shapely.box([0, 0.5], 0, [0.5, 1], 1), ["f", "g"])
    assert split.codes.tolist() == ["f", "e", "", "d", "g"]
    assert split.locate([0.2, 0.7, 3.5], [0.5] * 3).area.tolist() == [0, 4, 3]
    assert not split.wasteful
    with pytest.raises(GeometryError, match="no area 'b' to take out"):
        joined.redrawn(["b"], [], [])


def test_a_saved_locator_is_mapped_and_answers_the_same(tmp_path) -> None:
    pieces = random_coverage_wgs84(7)
    locator = Locator(pieces, [f"{i:03d}" for i in range(len(pieces))])
    path = tmp_path / "grids.locator"
    locator.save(path)
    mapped = Locator.load(path)
    points = places_of(pieces, np.random.default_rng(7))
    assert_same_answers(mapped, locator, points)
    found = mapped.locate(points[:, 0], points[:, 1])
    assert np.array_equal(found.area, locator.locate(points[:, 0], points[:, 1]).area)
    assert mapped.redrawn(["001"], [], []).codes[1] == ""
    assert not mapped._raster.near.flags.writeable
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not a locator", None])
def test_a_file_that_is_no_locator_is_refused(tmp_path, content) -> None:
    path = tmp_path / "grids.locator"
    if content is None:
        np.save(path.with_suffix(".npy"), np.array([1, 2, 3]))
        path = path.with_suffix(".npy")
    else:
        path.write_bytes(content)
    with pytest.raises(GeometryError, match="build it again"):
        Locator.load(path)


def test_a_flipped_bit_anywhere_is_noticed(tmp_path) -> None:
    pieces = random_coverage_wgs84(7)
    locator = Locator(pieces, [f"{i:03d}" for i in range(len(pieces))])
    path = tmp_path / "grids.locator"
    locator.save(path)
    whole = path.read_bytes()
    dice = np.random.default_rng(11)
    for at in dice.integers(0, len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(dice.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(GeometryError, match="build it again"):
            Locator.load(path)
