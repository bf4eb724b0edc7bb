"""Drafts that begin with a drawing of the engine: their tables written at once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Generation
from data.store import upsert
from gis.coverage import dissolve
from gis.shape import as_multipolygon, polsby_popper
from grids.blocks import Blocks
from grids.borders import Borders
from grids.codes import own_name
from grids.ground import Ground, StoredBlocks
from grids.partition import Partition
from grids.report import longest_walks

__all__ = ["Drawn", "write_drawn"]

Int = NDArray[np.int64]

_HELD = text(
    "SELECT grid.code, grid.name, division.name AS community_name, "
    "array_agg(grid_block.block_id ORDER BY grid_block.block_id) AS blocks FROM grid "
    "JOIN grid_block ON grid_block.grid_id = grid.id "
    "JOIN division ON division.code = grid.community "
    "WHERE grid.county = :county AND upper_inf(grid.valid) GROUP BY grid.id, division.name"
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an engine drew, in terms of blocks held.

    Attributes
    ----------
    parts : dict of str to list of list of str
        Code of a community → keys of the blocks of each of its grids.
    """

    ground: Ground
    stored: StoredBlocks
    label: Int
    community: Int
    zone: Int
    parts: dict[str, list[list[str]]]

    @classmethod
    def of(
        cls, ground: Ground, stored: StoredBlocks, found: Partition, chosen: Iterable[int]
    ) -> "Drawn":
        """Take some communities of a partition."""
        order = np.argsort(found.label, kind="stable")
        ends = np.cumsum(np.bincount(found.label))[:-1]
        members = np.split(stored.ids[order], ends)
        wanted = set(chosen)
        parts: dict[str, list[list[str]]] = {ground.codes[one]: [] for one in sorted(wanted)}
        for place, blocks in zip(found.community.tolist(), members, strict=True):
            if place in wanted:
                parts[ground.codes[place]].append([str(block) for block in blocks.tolist()])
        drawn = {code: listed for code, listed in parts.items() if listed}
        return cls(ground, stored, found.label, found.community, found.zone, drawn)


@dataclass(frozen=True, slots=True)
class _Table:
    """Figures of all grids of a drawing, an array for each."""

    shapes: NDArray[np.object_]
    households: Int
    blocks: Int
    compactness: NDArray[np.float64]
    walk_m: NDArray[np.float64]


def write_drawn(
    session: Session, draft: Generation, drawn: Drawn, blocks: Blocks, borders: Borders
) -> None:
    """Write the tables of a draft that begins with a drawing.

    Keys are those that replaying the drawing gives: a grid of the same blocks as a published
    one goes on from it.
    """
    known = {
        tuple(row.blocks): (row.code, own_name(row.name, row.community_name, row.code))
        for row in session.execute(_HELD, {"county": draft.county})
    }
    heirs = {block: code for blocks, (code, _) in known.items() for block in blocks}
    table = _figures(drawn, blocks, borders)
    counters: dict[str, int] = defaultdict(int)
    grids: list[dict[str, Any]] = []
    keys: dict[int, str] = {}
    members = _members(drawn.label)
    for position, place in enumerate(drawn.community.tolist()):
        code = drawn.ground.codes[place]
        if code not in drawn.parts:
            continue
        counters[code] += 1
        own = tuple(sorted(drawn.stored.ids[members[position]].tolist()))
        held = known.get(own)
        keys[position] = held[0] if held else f"{code}+{draft.head}.{counters[code]}"
        zone = int(drawn.zone[position])
        kind = "urban" if drawn.ground.urban[place] else "rural"
        grids.append(
            {
                "generation_id": draft.id,
                "key": keys[position],
                "county": draft.county,
                "community": code,
                "code": held[0] if held else "",
                "name": held[1] if held else "",
                "kind": kind if zone < 0 else "dedicated",
                "zone_id": zone if zone >= 0 else None,
                "heir_of": "" if held else _heir(heirs, drawn.stored, members[position]),
                "households": int(table.households[position]),
                "blocks": int(table.blocks[position]),
                "compactness": float(table.compactness[position]),
                "walk_m": float(table.walk_m[position]),
                "geom": as_multipolygon(table.shapes[position]),
            }
        )
    own_rows = {"generation_id": draft.id, "county": draft.county}
    upsert(
        session, "draft_community", [own_rows | {"community": code} for code in counters], key=()
    )
    upsert(session, "draft_grid", grids, key=())
    upsert(session, "draft_block", _block_rows(draft, drawn, keys), key=())


def _members(label: Int) -> list[Int]:
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label))[:-1])


def _figures(drawn: Drawn, blocks: Blocks, borders: Borders) -> _Table:
    count = len(drawn.community)
    metres = dissolve(blocks.polygons, drawn.label)
    return _Table(
        dissolve(drawn.stored.polygons_wgs84, drawn.label),
        np.bincount(drawn.label, weights=drawn.stored.households).astype(np.int64),
        np.bincount(drawn.label, minlength=count).astype(np.int64),
        polsby_popper(metres),
        longest_walks(blocks, borders, drawn.label, count),
    )


def _heir(heirs: dict[int, str], stored: StoredBlocks, members: Int) -> str:
    held: dict[str, float] = defaultdict(float)
    for block, households in zip(
        stored.ids[members].tolist(), stored.households[members].tolist(), strict=True
    ):
        held[heirs.get(block, "")] += households + 1e-6
    return max(sorted(held), key=lambda code: held[code])


def _block_rows(draft: Generation, drawn: Drawn, keys: dict[int, str]) -> list[dict[str, Any]]:
    stored = drawn.stored
    return [
        {
            "generation_id": draft.id,
            "key": str(block),
            "county": draft.county,
            "block_id": block,
            "community": drawn.ground.codes[community],
            "grid_key": keys[label],
            "households": households,
            "geom": shape,
        }
        for block, community, label, households, shape in zip(
            stored.ids.tolist(),
            stored.community.tolist(),
            drawn.label.tolist(),
            stored.households.tolist(),
            stored.polygons_wgs84,
            strict=True,
        )
        if label in keys
    ]
