"""The live panel: what an acknowledged change brings about, in figures that a page can show."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Generation
from data.scope import prefix_of
from grids.codes import usual_name
from grids.drafting.workbench import Acknowledged, Workbench
from grids.generations import rules_of
from grids.redraw import (
    CommunityPlan,
    DraftState,
    GridFigures,
    PlannedGrid,
    changes,
    moves,
    warnings,
)
from grids.rules import PEOPLE_PER_HOUSEHOLD, Rules

__all__ = ["Totals", "community_panel", "consequences", "totals"]

# Households of a grid over the middle of its range, in tenths: below half, …, twice and more.
_BINS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 2.0])
_ADDRESSES = text(
    "SELECT count(*) FROM address WHERE county = :county "
    "AND ST_Intersects(geom, ST_GeomFromWKB(:ground, 4326))"
)
_INCIDENTS = text(
    "SELECT id, source_ref, state FROM incident WHERE county = :county "
    "AND state NOT IN ('closed', 'void') "
    "AND ST_Intersects(geom, ST_GeomFromWKB(:ground, 4326)) ORDER BY id LIMIT 100"
)
_SIZES = text(
    "SELECT grid.community, grid.kind, grid.households FROM grid "
    "WHERE grid.county = :county AND upper_inf(grid.valid)"
)
_DRAWN = text(
    "SELECT community, kind, households FROM draft_grid WHERE generation_id = :draft "
    "UNION ALL SELECT community, kind, households FROM grid "
    "WHERE county = :county AND upper_inf(valid) AND NOT EXISTS (SELECT 1 FROM draft_community "
    "AS drawn WHERE drawn.generation_id = :draft AND drawn.community = grid.community)"
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of a draft's whole area.

    Attributes
    ----------
    over, under : int
        Ordinary grids above and below their range.
    histogram : tuple of int
        Ordinary grids by size over target, with `_BINS` as the edges.
    """

    grids: int
    households: int
    over: int
    under: int
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Sizes:
    """All grids of the latest plan: community, kind and households, an array each."""

    community: NDArray[np.str_]
    dedicated: NDArray[np.bool_]
    urban: NDArray[np.bool_]
    households: NDArray[np.int64]


def _sizes(rows: Iterable[Any]) -> _Sizes:
    listed = list(rows)
    kind = np.array([row.kind for row in listed], dtype="U10")
    return _Sizes(
        np.array([row.community for row in listed], dtype="U12"),
        kind == "dedicated",
        kind == "urban",
        np.array([row.households for row in listed], np.int64),
    )


def totals(
    session: Session, bench: Workbench, draft: Generation, state: DraftState
) -> tuple[Totals, Totals]:
    """Totals of a draft's area, as published and as the draft has it."""
    key = {"county": draft.county, "draft": draft.id}
    held = bench.remembered(("sizes", draft.base_id), lambda: _sizes(session.execute(_SIZES, key)))
    start = _sizes(session.execute(_DRAWN, key)) if state.drawn else held
    rules = rules_of(session, draft.profile)
    area = prefix_of(draft.area)
    inside = np.char.startswith(held.community, area)
    before = _count(held, inside, rules)
    rest = np.char.startswith(start.community, area)
    rest &= ~np.isin(start.community, list(state.plans))
    changed = _sizes(
        _Row(plan.code, grid.kind, figures.households)
        for plan in state.plans.values()
        for grid, figures in zip(plan.grids, plan.figures, strict=True)
    )
    one = _count(start, rest, rules)
    two = _count(changed, np.char.startswith(changed.community, area), rules)
    after = Totals(
        one.grids + two.grids,
        one.households + two.households,
        one.over + two.over,
        one.under + two.under,
        tuple(a + b for a, b in zip(one.histogram, two.histogram, strict=True)),
    )
    return before, after


@dataclass(frozen=True, slots=True)
class _Row:
    community: str
    kind: str
    households: int


def _count(sizes: _Sizes, chosen: NDArray[np.bool_], rules: Rules) -> Totals:
    scale = PEOPLE_PER_HOUSEHOLD if rules.measure == "people" else 1.0
    own = chosen & ~sizes.dedicated
    size = sizes.households[own] * scale
    urban = sizes.urban[own]
    most = np.where(urban, rules.urban.most, rules.rural.most)
    least = np.where(urban, rules.urban.least, rules.rural.least)
    target = np.where(urban, rules.urban.target, rules.rural.target)
    bins = np.bincount(np.searchsorted(_BINS, size / target, "right"), minlength=len(_BINS) + 1)
    return Totals(
        int(chosen.sum()),
        int(sizes.households[chosen].sum()),
        int((size > most).sum()),
        int((size < least).sum()),
        tuple(bins.tolist()),
    )


def consequences(
    session: Session, bench: Workbench, draft: Generation, done: Acknowledged
) -> dict[str, Any]:
    """What an edit, an undo or a redo has brought about.

    Returns
    -------
    dict
        ``changes`` (grids before and after), ``moved`` (households, addresses, open incidents,
        gridworkers), ``warnings`` of the communities that it touches, ``totals`` of the draft's
        area before and after; places are longitude and latitude, EPSG:4326.
    """
    pairs = [
        (
            done.before.plans.get(code) or bench.base(session, draft, code),
            done.after.plans.get(code) or bench.community(session, draft, code),
        )
        for code in done.touched
    ]
    found = moves([before for before, _ in pairs], [after for _, after in pairs])
    gone = [one for one in found if one.source != one.target]
    listed, workers = [], set()
    told: list[dict[str, Any]] = []
    for before, after in pairs:
        for one in changes(before, after):
            listed.append(_change(after, one.grid, one.before, one.after))
            if holder := after.blocks.ground.holders.get(one.grid.staff_of):
                workers.add(holder.name)
        told += _warned(after, done.after)
    ground = [shape for one in gone for shape in one.ground]
    households = sum(one.households for one in gone)
    was, now = totals(session, bench, draft, done.after)
    return {
        "draft": done.draft,
        "version": done.version,
        "head": done.head,
        "communities": list(done.touched),
        "changes": listed,
        "moved": _moved(session, draft.county, ground, households, workers),
        "warnings": told,
        "conflicts": [
            {"position": one.position, "operation": one.operation, "reason": one.conflict}
            for one in done.conflicts
        ],
        "totals": {"before": asdict(was), "after": asdict(now)},
        "crs": "EPSG:4326",
    }


def community_panel(plan: CommunityPlan, state: DraftState) -> dict[str, Any]:
    """Grids of a community with their figures, and what to look at."""
    size = plan.blocks.ground.size
    return {
        "code": plan.code,
        "name": plan.blocks.ground.name,
        "urban": plan.blocks.ground.urban,
        "range": [size.least, size.target, size.most],
        "grids": [
            _plain(plan, grid) | {"figures": _figures(figures)}
            for grid, figures in zip(plan.grids, plan.figures, strict=True)
        ],
        "warnings": _warned(plan, state),
        "crs": "EPSG:4326",
    }


def name_of(plan: CommunityPlan, grid: PlannedGrid) -> str:
    """What to call a grid: its own name, the usual one of its code, or its key."""
    if grid.name:
        return grid.name
    return usual_name(plan.blocks.ground.name, grid.code) if grid.code else grid.key[12:]


def _plain(plan: CommunityPlan, grid: PlannedGrid) -> dict[str, Any]:
    holder = plan.blocks.ground.holders.get(grid.staff_of)
    return {
        "key": grid.key,
        "code": grid.code,
        "name": name_of(plan, grid),
        "kind": grid.kind,
        "worker": holder.name if holder else "",
    }


def _change(
    plan: CommunityPlan,
    grid: PlannedGrid,
    before: GridFigures | None,
    after: GridFigures | None,
) -> dict[str, Any]:
    return _plain(plan, grid) | {
        "before": None if before is None else _figures(before),
        "after": None if after is None else _figures(after),
    }


def _figures(figures: GridFigures) -> dict[str, Any]:
    return {
        "households": figures.households,
        "people": round(figures.people),
        "area_m2": round(figures.area_m2),
        "compactness": round(figures.compactness, 3),
        "walk_m": round(figures.walk_m),
        "blocks": figures.blocks,
        "bounds": [round(value, 7) for value in figures.polygon.bounds],
    }


def _warned(plan: CommunityPlan, state: DraftState) -> list[dict[str, Any]]:
    names = {grid.key: name_of(plan, grid) for grid in plan.grids}
    return [
        {
            "kind": one.kind,
            "community": plan.code,
            "grid": one.grid,
            "name": names[one.grid],
            "figure": round(one.figure, 3),
            "person": one.name,
            "place": [round(one.place.x, 7), round(one.place.y, 7)],
        }
        for one in warnings(plan, state.posts)
    ]


def _moved(
    session: Session, county: str, ground: list[Any], households: int, workers: set[str]
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "households": households,
        "people": round(households * PEOPLE_PER_HOUSEHOLD),
        "workers": sorted(workers),
        "addresses": 0,
        "incidents": [],
    }
    if ground:
        whole = shapely.to_wkb(shapely.union_all(np.array(ground, dtype=object)))
        key = {"county": county, "ground": whole}
        facts["addresses"] = session.execute(_ADDRESSES, key).scalar_one()
        facts["incidents"] = [
            {"id": row.id, "case": row.source_ref, "state": row.state}
            for row in session.execute(_INCIDENTS, key)
        ]
    return facts
