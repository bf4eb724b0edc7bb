"""Micro-grids of the published plan: drawn where a grid has none, and kept as long as it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from data.store import shapes_from_wkb, upsert
from gis.shape import as_multipolygon
from grids.codes import reading_order
from grids.ground import Dwellings, Ground
from grids.micro import MicroGrids, micro_grids
from grids.rules import Rules, SizeRange

__all__ = ["Subdivision", "subdivide"]

# Grids a task: long enough to outweigh what sending them to a worker costs.
_BATCH = 32

_UNDIVIDED = text(
    "SELECT grid.id, grid.code, ST_AsBinary(grid.geom) AS geom FROM grid "
    "WHERE grid.county = :county AND upper_inf(grid.valid) "
    "AND NOT EXISTS (SELECT 1 FROM micro_grid WHERE micro_grid.grid_id = grid.id) "
    "ORDER BY grid.code"
)
_STORED = text("SELECT code, id FROM micro_grid WHERE grid_id = ANY(:grids)")


@dataclass(frozen=True, slots=True)
class Subdivision:
    """What was drawn.

    Attributes
    ----------
    grids, micro_grids, fitting : int
        Grids divided, micro-grids in them, and those whose households are in range.
    indivisible : tuple of int
        Ids of buildings with more households than a micro-grid may have: whole here, their
        micro-grids go by unit 单元 or floors.
    """

    grids: int
    micro_grids: int
    fitting: int
    indivisible: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """One grid to divide, in metres, and its dwellings."""

    polygon: Any
    footprints: NDArray[np.object_]
    households: NDArray[np.int64]


def subdivide(
    session: Session,
    county: str,
    rules: Rules,
    *,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Subdivision:
    """Divide every published grid that has no micro-grids yet; one that has keeps them.

    Parameters
    ----------
    rules : Rules
        Its `micro` is the size aimed at.
    executor : concurrent.futures.Executor, optional
    progress : callable, optional
        Called with the grids done and the grids in all.

    Raises
    ------
    StateError
        If the county has no published plan.
    """
    rows = session.execute(_UNDIVIDED, {"county": county}).all()
    if not rows and not _has_plan(session, county):
        raise StateError(f"county {county} has no published plan: run onegrid plan publish")
    ground = Ground.load(session, county)
    shapes = ground.local.forward(shapes_from_wkb([row.geom for row in rows]))
    dwellings = Dwellings.load(session, county, ground)
    members = _members(session, county, ground, dwellings, [row.id for row in rows])
    tasks = [
        _Task(shape, dwellings.footprints[mine], dwellings.households[mine])
        for shape, mine in zip(shapes, members, strict=True)
    ]
    drawn: list[MicroGrids] = []
    for batch in _run(tasks, rules.micro, seed, executor):
        drawn += batch
        if progress:
            progress(len(drawn), len(tasks))
    _store(session, county, [(row.id, row.code) for row in rows], ground, drawn, members, dwellings)
    sizes = np.concatenate([np.empty(0, np.int64), *(one.households for one in drawn)])
    fitting = int(((sizes >= rules.micro.least) & (sizes <= rules.micro.most)).sum())
    large = [
        int(dwellings.ids[mine[building]])
        for mine, one in zip(members, drawn, strict=True)
        for building in one.indivisible.tolist()
    ]
    return Subdivision(len(rows), len(sizes), fitting, tuple(large))


def _has_plan(session: Session, county: str) -> bool:
    query = "SELECT 1 FROM grid WHERE county = :county AND upper_inf(valid) LIMIT 1"
    return session.scalar(text(query), {"county": county}) is not None


def _members(
    session: Session, county: str, ground: Ground, dwellings: Dwellings, grid_ids: list[int]
) -> list[NDArray[np.int64]]:
    """Dwellings of each grid: where their households were counted, in the nearest block's grid."""
    rows = session.execute(
        text(
            "SELECT grid_block.grid_id, ST_AsBinary(block.geom) AS geom FROM block "
            "JOIN grid_block ON grid_block.block_id = block.id "
            "JOIN grid ON grid.id = grid_block.grid_id AND upper_inf(grid.valid) "
            "WHERE block.county = :county ORDER BY block.id"
        ),
        {"county": county},
    ).all()
    blocks = shapes_from_wkb([row.geom for row in rows])
    tree = shapely.STRtree(ground.local.forward(blocks))
    homes = shapely.point_on_surface(dwellings.footprints)
    home, block = tree.query_nearest(homes, all_matches=False)
    grid = np.array([row.grid_id for row in rows], np.int64)[block]
    order = np.argsort(grid, kind="stable")
    first = np.searchsorted(grid[order], grid_ids, "left")
    last = np.searchsorted(grid[order], grid_ids, "right")
    return [home[order[a:b]].astype(np.int64) for a, b in zip(first, last, strict=True)]


def _run(
    tasks: list[_Task], size: SizeRange, seed: int, executor: Executor | None
) -> Iterator[list[MicroGrids]]:
    batches = [tasks[at : at + _BATCH] for at in range(0, len(tasks), _BATCH)]
    run = map if executor is None else executor.map
    yield from run(_divide, batches, [size] * len(batches), [seed] * len(batches))


def _divide(tasks: list[_Task], size: SizeRange, seed: int) -> list[MicroGrids]:
    return [
        micro_grids(task.polygon, task.footprints, task.households, size, seed=seed)
        for task in tasks
    ]


def _store(
    session: Session,
    county: str,
    grids: list[tuple[int, str]],
    ground: Ground,
    drawn: list[MicroGrids],
    members: list[NDArray[np.int64]],
    dwellings: Dwellings,
) -> None:
    rows: list[dict[str, Any]] = []
    links: list[tuple[str, int]] = []
    for (grid, code), one, mine in zip(grids, drawn, members, strict=True):
        places = shapely.point_on_surface(one.polygons)
        bounds = shapely.bounds(one.polygons)
        height = float(np.median(bounds[:, 3] - bounds[:, 1]))
        order = reading_order(shapely.get_x(places), shapely.get_y(places), height)
        number = np.empty(len(order), np.int64)
        number[order] = np.arange(1, len(order) + 1)
        codes = [f"{code}{n:02d}" for n in number.tolist()]
        for micro, shape in enumerate(ground.local.inverse(one.polygons)):
            row = {"county": county, "grid_id": grid, "code": codes[micro]}
            row["households"] = int(one.households[micro])
            row["geom"] = as_multipolygon(shape)
            rows.append(row)
        links += zip(
            [codes[m] for m in one.building.tolist()], dwellings.ids[mine].tolist(), strict=True
        )
    upsert(session, "micro_grid", rows, key=())
    ids: dict[str, int] = dict(
        session.execute(_STORED, {"grids": [grid for grid, _ in grids]}).all()
    )
    upsert(
        session,
        "micro_grid_building",
        [
            {"county": county, "micro_grid_id": ids[code], "building_id": building}
            for code, building in links
        ],
        key=(),
    )
