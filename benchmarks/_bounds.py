"""What any partition of a piece could reach, proved: an oracle apart from the engine.

Plain Python on purpose: it shares no kernel with what it judges. Sets of blocks are bit masks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

from grids.partition._pieces import Piece

__all__ = ["Front", "best_sum", "front"]

Pairs = set[tuple[int, int]]

EXACT_UNITS = 19
TARGET = 300.0
WIDE, NARROW = 0.2, 0.1
# Up to so many sets as an integer program, up to so many as a linear one.
MOST_SETS, MOST_LINEAR = 20_000, 400_000
SOLVER_S = 60.0


@dataclass(frozen=True, slots=True)
class Front:
    """Counts (within ±20 %, within ±10 %) that cannot be passed at once, and whether exact."""

    pairs: frozenset[tuple[int, int]]
    exact: bool

    @property
    def wide(self) -> int:
        """Most grids within ±20 %."""
        return max(a for a, _ in self.pairs)

    @property
    def narrow(self) -> int:
        """Most grids within ±10 %, whatever the others."""
        return max(b for _, b in self.pairs)


def front(piece: Piece, parts: int) -> Front:
    """Bound the grids within ±20 % and ±10 % of 300 that a piece in so many parts can have.

    Exact, by dynamic programming over connected sets, up to `EXACT_UNITS` units. Else a
    relaxation: what the sum of the households allows, and connected sets in range packed
    without overlap, the rest of the piece ignored unless every grid is in range, where they
    must cover it; HiGHS' dual bound holds even where it stops early. A piece of very many sets
    has the bound of its sum alone.
    """
    size = piece.block[:, 0]
    if parts == 1:
        return Front(frozenset({_in_range(size.sum())}), exact=True)
    if len(size) <= EXACT_UNITS:
        return Front(frozenset(_exact_front(piece, parts)), exact=True)
    sets = _sets_in_range(piece, TARGET * (1 - WIDE), TARGET * (1 + WIDE))
    pairs: Pairs = set()
    for wide in range(parts, -1, -1):
        narrow = _by_sum(size.sum() / TARGET, parts, wide)
        if sets is not None and narrow is not None:
            narrow = _by_sets(sets, size, parts, wide, narrow)
        if narrow is not None:
            pairs.add((wide, narrow))
        # With one grid less in range there are at most so many within a tenth.
        if any(found >= wide - 1 for _, found in pairs):
            break
    return Front(frozenset(_undominated(pairs)), exact=False)


def _in_range(total: float) -> tuple[int, int]:
    """1 or 0 for a grid of so many households: within ±20 %, within ±10 %."""
    off = abs(total / TARGET - 1)
    return int(off <= WIDE + 1e-9), int(off <= NARROW + 1e-9)


def _by_sum(total: float, parts: int, wide: int) -> int | None:
    """Most grids within a tenth by the sum alone, `wide` of them in range; None for no way."""
    for narrow in range(wide, -1, -1):
        lowest = narrow * (1 - NARROW) + (wide - narrow) * (1 - WIDE)
        highest = narrow * (1 + NARROW) + (wide - narrow) * (1 + WIDE)
        if lowest <= total + 1e-9 and (wide < parts or total <= highest + 1e-9):
            return narrow
    return None


def _by_sets(
    sets: list[int], size: NDArray[np.float64], parts: int, wide: int, narrow: int
) -> int | None:
    """Lower a bound to what connected sets allow; None where they allow no such partition."""
    if wide < parts:
        packed = _packed(sets, size, parts, wide)
        return None if packed is None else min(narrow, packed)
    for aim in range(narrow, -1, -1):
        packed = _packed(_fitting(sets, size, parts, aim), size, parts, wide)
        if packed is not None and packed >= aim:
            return aim
    return None


def _fitting(sets: list[int], size: NDArray[np.float64], parts: int, narrow: int) -> list[int]:
    """Leave the sets beside which the others can share the rest, so many within a tenth in all."""
    total, kept = size.sum() / TARGET, []
    for one in sets:
        own = size[_units_of(one)].sum()
        close = narrow - _in_range(own)[1]
        others = parts - 1 - close
        if others < 0:
            continue
        least = close * (1 - NARROW) + others * (1 - WIDE)
        most = close * (1 + NARROW) + others * (1 + WIDE)
        if least - 1e-9 <= total - own / TARGET <= most + 1e-9:
            kept.append(one)
    return kept


def best_sum(fronts: list[Front], least_wide: int) -> int | None:
    """Most grids within ±10 % in all, where at least so many are within ±20 %."""
    best: dict[int, int] = {0: 0}
    for one in fronts:
        new: dict[int, int] = {}
        for wide, narrow in best.items():
            for a, b in one.pairs:
                new[wide + a] = max(new.get(wide + a, -1), narrow + b)
        best = new
    return max((b for a, b in best.items() if a >= least_wide), default=None)


def _undominated(pairs: Pairs) -> Pairs:
    return {p for p in pairs if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in pairs)}


def _exact_front(piece: Piece, parts: int) -> Pairs:
    size = piece.block[:, 0]
    count = len(size)
    full = (1 << count) - 1
    connected = [
        [(one, *_in_range(size[_units_of(one)].sum())) for one in sets]
        for sets in _connected_sets(piece)
    ]
    # layer[mask]: counts that are possible when mask is cut into so many connected grids.
    layer: dict[int, Pairs] = {0: {(0, 0)}}
    for _ in range(parts):
        new: dict[int, Pairs] = {}
        for used, pairs in layer.items():
            free = full ^ used
            low = (free & -free).bit_length() - 1
            for one, a, b in connected[low] if free else ():
                if not one & used:
                    new.setdefault(used | one, set()).update((x + a, y + b) for x, y in pairs)
        layer = {mask: _undominated(pairs) for mask, pairs in new.items()}
    return layer[full]


def _packed(sets: list[int], size: NDArray[np.float64], parts: int, wide: int) -> int | None:
    """Bound on the grids within a tenth where at least `wide` are in range; None for no way."""
    if not sets:
        return 0 if wide == 0 else None
    members = [_units_of(one) for one in sets]
    rows = np.concatenate(members)
    columns = np.repeat(np.arange(len(sets)), [len(m) for m in members])
    cover = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(size), len(sets)))
    near = np.array([_in_range(size[m].sum())[1] for m in members])
    least_cover = 1.0 if wide == parts else 0.0
    answer = milp(
        -near.astype(float),
        constraints=[
            LinearConstraint(cover, least_cover, 1),
            LinearConstraint(csc_array(np.ones((1, len(sets)))), wide, parts),
        ],
        integrality=np.full(len(sets), int(len(sets) <= MOST_SETS)),
        bounds=Bounds(0, 1),
        options={"time_limit": SOLVER_S},
    )
    if answer.status == 2:  # proved infeasible
        return None
    if answer.success and len(sets) > MOST_SETS:
        return int(np.floor(-answer.fun + 1e-6))
    dual = answer.get("mip_dual_bound")
    return int(np.floor(-dual + 1e-6)) if dual is not None and np.isfinite(dual) else parts


def _connected_sets(piece: Piece) -> list[list[int]]:
    """Connected sets by their lowest unit."""
    count, joins = len(piece.nodes), _joins(piece)
    found: list[list[int]] = [[] for _ in range(count)]
    for mask in range(1, 1 << count):
        low = mask & -mask
        reached = edge = low
        while edge:
            new = 0
            for unit in _units_of(edge):
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


def _units_of(mask: int) -> list[int]:
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


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
            if work > 20 * MOST_LINEAR or len(found) > MOST_LINEAR:
                return None
            if total > most:
                continue
            open_edge = edge & ~seen
            if not open_edge:
                if total >= least:
                    found.append(mask)
                continue
            bit = open_edge & -open_edge
            unit = bit.bit_length() - 1
            stack.append((mask, edge, seen | bit, total))
            stack.append((mask | bit, edge | joins[unit], seen | bit, total + size[unit]))
    return found
