"""How near the partition of whole units comes to what any partition could reach.

For each community of official units, with the number of grids that the partition took, the
most grids that can lie within ±20 % (±10 %) at once is bounded:

- exactly, by dynamic programming over connected sets (`grids.kernels.best_cut` with a cost
  that only counts), where the community has few units;
- else by a relaxation: connected sets in range are enumerated and packed without overlap, the
  rest of the community ignored; HiGHS' dual bound holds even where it stops early.

The share of the bound that is reached is reported, and the mean gap of the search's score to
the exact one.
"""

import argparse
import json
import sys
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

from benchmarks._cases import Case, lattice, shared_data, units
from grids.kernels import anneal, best_cut, bisect, parameters
from grids.partition import Rules, partition
from grids.partition._pieces import Piece, find_pieces, take_piece
from grids.partition._solve import Effort

Int = NDArray[np.int64]
EXACT_UNITS = 15
MOST_SETS = 200_000
SOLVER_S = 20.0
BARS = {0.2: 99.0, 0.1: 88.0}


def pieces_of(case: Case) -> list[Piece]:
    """The pieces that the engine solves alone."""
    blocks, none = case.blocks, np.full(len(case.blocks.community), -1, np.int64)
    size = blocks.households.astype(float)
    small = np.full(len(size), Rules().urban.least / 2)
    piece, _ = find_pieces(size, blocks.community, blocks.zone, case.borders, small)
    area, edge = shapely.area(blocks.polygons), shapely.length(blocks.polygons)
    order = np.argsort(piece, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(piece[order])) + 1)
    return [take_piece(nodes, size, area, edge, case.borders, none) for nodes in groups]


def bound(piece: Piece, parts: int, share: float) -> tuple[int, bool]:
    """Most grids within a share of 300 at once, and whether that is exact."""
    size = piece.block[:, 0]
    least, most = 300 * (1 - share), 300 * (1 + share)
    if parts == 1:
        return int(least <= size.sum() <= most), True
    if len(size) <= EXACT_UNITS:
        # A count is a cost of 1 out of range and nothing else: the weights say so.
        p = parameters(300, least, most, inner=share, balance=1.0, compact=0.0, street=0.0)
        counting = _counting(piece, parts, p)
        return counting, True
    sets = _sets_in_range(piece, least, most)
    if sets is None:
        return min(parts, int(size.sum() // least)), False
    if not sets:
        return 0, True
    rows = np.concatenate([np.flatnonzero(_bits(s, len(size))) for s in sets])
    columns = np.repeat(np.arange(len(sets)), [s.bit_count() for s in sets])
    matrix = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(size), len(sets)))
    answer = milp(
        -np.ones(len(sets)),
        constraints=LinearConstraint(matrix, -np.inf, 1),
        integrality=np.ones(len(sets)),
        bounds=Bounds(0, 1),
        options={"time_limit": SOLVER_S},
    )
    dual = getattr(answer, "mip_dual_bound", None)
    packed = int(np.floor(-dual + 1e-6)) if dual is not None else parts
    return min(parts, packed), False


def _counting(piece: Piece, parts: int, p: NDArray[np.float64]) -> int:
    """Largest number of grids in range, by dynamic programming on sets of units."""
    count = len(piece.nodes)
    size = piece.block[:, 0]
    good = set(_sets_in_range(piece, p[1], p[2]) or ())
    connected = _connected_sets(piece)
    full = (1 << count) - 1
    best = {0: {0: 0}}
    # best[k][mask]: most grids in range when mask is cut into k connected grids.
    for k in range(1, parts + 1):
        layer: dict[int, int] = {}
        for used, value in best[k - 1].items():
            free = full ^ used
            if not free:
                continue
            low = free & -free
            for one in connected[low.bit_length() - 1]:
                if one & used:
                    continue
                whole = used | one
                score = value + (one in good)
                if layer.get(whole, -1) < score:
                    layer[whole] = score
        best[k] = layer
    assert size.size == count  # noqa: S101 - one size for each unit
    return best[parts].get(full, 0)


def _connected_sets(piece: Piece) -> list[list[int]]:
    """Connected sets by their lowest unit."""
    count = len(piece.nodes)
    joins = _joins(piece)
    found: list[list[int]] = [[] for _ in range(count)]
    for mask in range(1, 1 << count):
        low = mask & -mask
        reached = edge = low
        while edge:
            new = 0
            for unit in range(count):
                if edge >> unit & 1:
                    new |= joins[unit]
            edge = new & mask & ~reached
            reached |= edge
        if reached == mask:
            found[low.bit_length() - 1].append(mask)
    return found


def _joins(piece: Piece) -> list[int]:
    joins = [0] * len(piece.nodes)
    here = np.repeat(np.arange(len(joins)), np.diff(piece.start))
    for a, b, open_edge in zip(
        here.tolist(), piece.near.tolist(), piece.passable.tolist(), strict=True
    ):
        if open_edge:
            joins[a] |= 1 << b
    return joins


def _bits(mask: int, count: int) -> NDArray[np.bool_]:
    return np.array([bool(mask >> i & 1) for i in range(count)])


def _sets_in_range(piece: Piece, least: float, most: float) -> list[int] | None:
    """Connected sets with a sum in range, each once; None where there are too many.

    Grown from their lowest unit by units above it, never past the most (sizes are not
    negative). A unit that was passed over is not taken later, so no set comes twice.
    """
    size, joins = piece.block[:, 0].tolist(), _joins(piece)
    found: list[int] = []
    work = 0
    for low in range(len(size)):
        barred = (1 << low) - 1
        stack = [(1 << low, joins[low], barred | 1 << low, size[low])]
        while stack:
            mask, edge, seen, total = stack.pop()
            work += 1
            if work > 20 * MOST_SETS or len(found) > MOST_SETS:
                return None
            if total > most:
                continue
            open_edge = edge & ~seen
            if not open_edge:
                if total >= least:
                    found.append(mask)
                continue
            unit = (open_edge & -open_edge).bit_length() - 1
            bit = 1 << unit
            stack.append((mask, edge, seen | bit, total))
            stack.append((mask | bit, edge | joins[unit], seen | bit, total + size[unit]))
    return found


def examine(case: Case, limit: int) -> dict[str, Any]:
    """Reached and bound over the first communities of a case."""
    found = partition(case.blocks, case.borders, case.urban, Rules(), seed=1)
    totals: dict[str, Any] = {"case": case.name, "communities": 0, "grids": 0, "exact": 0}
    sums = {share: [0, 0] for share in BARS}
    for piece in pieces_of(case)[:limit]:
        label = np.unique(found.label[piece.nodes], return_inverse=True)[1].reshape(-1)
        parts = int(label.max()) + 1
        size = np.bincount(label, weights=piece.block[:, 0])
        totals["communities"] += 1
        totals["grids"] += parts
        for share, sums_of in sums.items():
            most, exact = bound(piece, parts, share)
            reached = int((np.abs(size / 300 - 1) <= share + 1e-9).sum())
            sums_of[0] += reached
            sums_of[1] += max(most, reached) if not exact else most
            totals["exact"] += exact and share == 0.2
    for share, (reached, most) in sums.items():
        name = f"within_{share * 100:.0f}"
        totals[name] = reached
        totals[f"{name}_bound"] = most
        totals[f"{name}_of_bound"] = 100 * reached / max(most, 1)
    return totals


def gap(case: Case, limit: int) -> dict[str, float]:
    """Score of the search over the exact best, on communities of up to 15 units."""
    w = Rules().weights
    p = parameters(
        300, 240, 360, inner=0.1, balance=w.balance, compact=w.compactness, street=w.streets
    )
    gaps = []
    for piece in pieces_of(case):
        count, total = len(piece.nodes), piece.block[:, 0].sum()
        parts = Rules().urban.grids_for(float(total))[0]
        if not 2 <= parts < count <= EXACT_UNITS or len(gaps) >= limit:
            continue
        graph = (piece.start, piece.near, piece.passable, piece.length, piece.off, piece.block)
        exact, _ = best_cut(*graph, parts, p, np.zeros((count, parts)))
        tries = []
        for seed in range(Effort().starts_for(count)):
            weight = np.ascontiguousarray(piece.block[:, 0])
            label = bisect(piece.start, piece.near, piece.passable, weight, parts, 8, seed)
            free = np.full(count, -1, np.int64)
            tries.append(
                anneal(
                    *graph,
                    label,
                    parts,
                    p,
                    free,
                    0.0,
                    Effort().steps // Effort().starts_for(count) * count,
                    0.3,
                    0.005,
                    seed,
                )
            )
        gaps.append(min(tries) / exact - 1)
    return {
        "communities": len(gaps),
        "mean_per_cent": 100 * float(np.mean(gaps)),
        "worst_per_cent": 100 * float(max(gaps)),
    }


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="a made-up lattice")
    parser.add_argument("--communities", type=int, default=1000, help="at most so many of a case")
    options = parser.parse_args()
    if options.small:
        cases = [lattice(18, 2, community_side=3)]
    elif shared_data().is_dir():
        cases = [units("chiayi_city_units")]
    else:
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    reports, missed = [], []
    for case in cases:
        totals = examine(case, options.communities)
        totals["score_gap"] = gap(case, options.communities)
        reports.append(totals)
        print(totals, file=sys.stderr, flush=True)
        for share, bar in BARS.items():
            reached = totals[f"within_{share * 100:.0f}_of_bound"]
            if reached < bar:
                missed.append(
                    f"{case.name}: {reached:.1f} % of the bound on ±{share:.0%}, bar {bar}"
                )
        if totals["score_gap"]["mean_per_cent"] > 2 or totals["score_gap"]["worst_per_cent"] > 8:
            missed.append(f"{case.name}: score gap {totals['score_gap']}")
    print(json.dumps({"figures": reports, "missed": missed}, indent=1))
    return 1 if missed and not options.small else 0


if __name__ == "__main__":
    raise SystemExit(main())
