"""The ground that partitions are measured on: official units, OSM cities, made-up lattices."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from data import importing, migrate
from data.cluster import Cluster
from data.database import Database
from data.presets import seed_presets
from gis.crs import LocalProjection
from grids.blocks import Blocks
from grids.borders import Borders, draw_borders, with_ferries
from grids.generations import rules_of
from grids.ground import Ground, load_blocks, load_lines
from grids.partition._pieces import find_pieces

__all__ = [
    "Case",
    "could_fit",
    "lattice",
    "off_target",
    "osm_cities",
    "shared_data",
    "spare_database",
    "units",
]

Float = NDArray[np.float64]

COUNTY = "990300"


@dataclass(frozen=True, slots=True)
class Case:
    """One ground: blocks, their borders, which communities are urban, and where it is from."""

    name: str
    blocks: Blocks
    borders: Borders
    urban: NDArray[np.bool_]
    has_streets: bool
    cut: bool


def off_target(blocks: Blocks, urban: NDArray[np.bool_], label: NDArray[np.int64]) -> Float:
    """How far each grid is from its target, as a share of it; dedicated grids have none."""
    off: Float = np.abs(_grids(blocks.households / _target(blocks, urban), label) - 1.0)
    return off[_aimed(blocks, label)]


def could_fit(case: Case, label: NDArray[np.int64], tolerance: float) -> NDArray[np.bool_]:
    """Per grid with a target, whether the rule asks it to be within so much of the target.

    It does where blocks may be cut down to half a grid (the grid holds no larger one) and so
    many grids of the tolerated size can share the households of the piece. It does not where
    one building holds too much, nor where a community has too few for two grids.
    """
    blocks = case.blocks
    share = blocks.households / _target(blocks, case.urban)
    joined = with_ferries(case.borders, blocks.polygons, blocks.community, blocks.households)
    small = np.full(len(share), 0.4)
    piece, _ = find_pieces(share, blocks.community, blocks.zone, joined, small)
    _, first = np.unique(label, return_index=True)
    grids_in = np.bincount(piece[first], minlength=int(piece.max()) + 1)
    mean = np.bincount(piece, weights=share) / np.maximum(grids_in, 1)
    fits: NDArray[np.bool_] = np.abs(mean - 1.0) <= tolerance + 1e-9
    whole = _grids(share > 0.5, label) > 0
    return (fits[piece[first]] & ~whole)[_aimed(blocks, label)]


def _target(blocks: Blocks, urban: NDArray[np.bool_]) -> Float:
    return np.where(urban, 300.0, 50.0)[blocks.community]


def _grids(values: NDArray[Any], label: NDArray[np.int64]) -> Float:
    return np.bincount(label, weights=values, minlength=int(label.max()) + 1)


def _aimed(blocks: Blocks, label: NDArray[np.int64]) -> NDArray[np.bool_]:
    return _grids(blocks.zone >= 0, label) == 0


def shared_data() -> Path:
    """Folder of the real data."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("ONEGRID_SHARED_DATA", beside))


def units(name: str) -> Case:
    """Official statistical units as blocks, their CODE2 groups as communities.

    Null counts are unknown; here they weigh nothing. A group in two parts is two pieces.
    """
    frame = pyogrio.read_dataframe(shared_data() / "households" / f"{name}.gpkg")
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    metres = shapely.set_precision(LocalProjection.around(shapes).forward(shapes), 0.01)
    clean = shapely.coverage_clean(metres, gap_width=0.5)
    parts, unit = shapely.get_parts(clean, return_index=True)
    households = np.nan_to_num(frame.H_CNT.to_numpy(float)).astype(np.int64)
    largest = np.zeros(len(parts), bool)
    order = np.lexsort((-shapely.area(parts), unit))
    largest[order[np.unique(unit[order], return_index=True)[1]]] = True
    _, community = np.unique(frame.CODE2.to_numpy(), return_inverse=True)
    counts = np.where(largest, households[unit], 0)
    blocks = Blocks.of(parts, community[unit].astype(np.int64), households=counts)
    urban = np.ones(int(community.max()) + 1, bool)
    label = name.removesuffix("_units").removesuffix("_city")
    return Case(label, blocks, draw_borders(parts), urban, has_streets=False, cut=False)


_CITIES = {
    # Its extract holds more of France than of Monaco: one community of all that is built.
    "monaco": ("monaco.osm.pbf", None, ("none",)),
    "nanjing": ("nanjing.osm.gz", None, ("9", "10")),
    "taichung": ("taichung.osm.gz", "taichung_west_units.gpkg", ("9", "10")),
    "malta": ("malta.osm.pbf", None, ("8",)),
}


def osm_cities(names: tuple[str, ...]) -> list[Case]:
    """OSM cities by the product's own way: imported into a throw-away cluster, blocks drawn."""
    with spare_database() as database:
        return [_city(database, name) for name in names]


@contextmanager
def spare_cluster(*, durable: bool = False) -> Iterator[tuple[Cluster, Database]]:
    """A throw-away cluster with a migrated database; `durable` writes as in production."""
    with tempfile.TemporaryDirectory(prefix="onegrid-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        cluster = Cluster(home, durable=durable)
        cluster.ensure_running()
        try:
            database = Database.at(cluster.url, pooled=False)
            database.prepare()
            migrate.upgrade(database.engine)
            yield cluster, database
        finally:
            cluster.destroy()


@contextmanager
def spare_database(*, durable: bool = False) -> Iterator[Database]:
    """The database of a `spare_cluster`."""
    with spare_cluster(durable=durable) as (_, database):
        yield database


def _city(database: Database, name: str) -> Case:
    file, households, levels = _CITIES[name]
    county = f"9903{list(_CITIES).index(name):02d}"
    with database.session() as session:
        seed_presets(session)
        path = shared_data() / "osm" / file
        importing.import_osm(session, path, county=county, community_levels=levels)
        if households:
            units_path = shared_data() / "households" / households
            importing.import_households(session, units_path, county=county)
        ground = Ground.load(session, county)
        stored = load_blocks(session, county, ground, rules_of(session, "tongliao"))
        lines = load_lines(session, county, ground.local)
    blocks = Blocks.of(
        stored.polygons_m, stored.community, zone=stored.zone, households=stored.households
    )
    borders = draw_borders(blocks.polygons, lines)
    return Case(name, blocks, borders, ground.urban, has_streets=True, cut=True)


def lattice(side: int, seed: int, community_side: int = 12) -> Case:
    """A made-up city of side² blocks: a bent lattice, lumpy households, square communities.

    A third of the communities are rural.
    """
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0), indexing="ij")
    x = np.round((x + rng.uniform(-0.25, 0.25, x.shape)) * 120, 2)
    y = np.round((y + rng.uniform(-0.25, 0.25, y.shape)) * 120, 2)
    corners = np.stack([x, y], axis=-1)
    ring = [corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]]
    shapes = shapely.polygons(np.stack([*ring, ring[0]], axis=2).reshape(-1, 5, 2))
    column, row = np.divmod(np.arange(side * side), side)
    across = -(-side // community_side)
    community = (column // community_side) * across + row // community_side
    urban = rng.random(across * across) > 1 / 3
    mean = np.where(urban[community], 60.0, 8.0)
    households = rng.gamma(2.0, mean / 2.0).astype(np.int64)
    blocks = Blocks.of(shapes, community.astype(np.int64), households=households)
    return Case(
        f"lattice {side}²", blocks, draw_borders(shapes), urban, has_streets=False, cut=True
    )
