"""The partition engine beside METIS, spopt, scikit-learn, GerryChain and k-means-constrained.

Every method gets the same pieces (blocks of one community that reach each other). Methods
run one after the other in processes of their own, so that memory is each one's.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks._cases import Case, could_fit, lattice, off_target, osm_cities, shared_data, units
from benchmarks._peers import PEERS, Peer
from gis.coverage import dissolve
from gis.graph import connected_parts
from gis.shape import polsby_popper
from grids.borders import Borders, with_ferries
from grids.partition import Rules, partition
from grids.partition._pieces import find_pieces, take_piece

Int = NDArray[np.int64]
OURS = "OneGrid"
# Bars of what is shown: share within ±20 % and ±10 % where blocks are official units.
UNIT_BARS = {"chiayi": (93.2, 0.48), "kaohsiung": (82.7, 0.51)}
# And where blocks may be cut down to half a grid.
CUT_BARS = (97.0, 88.0)
# Nearly all households of Taichung lie in units taken whole: `partition_bounds` judges it.
WHOLE = ("taichung",)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is reported of one method on one case; shares in per cent."""

    case: str
    method: str
    grids: int
    within_20: float
    within_10: float
    cut_grids: int
    cut_within_20: float
    cut_within_10: float
    contiguous: float
    compactness: float
    compactness_p5: float
    street_share: float
    seconds: float
    peak_mib: float


def measure(case: Case, label: Int) -> dict[str, float]:
    """Figures of a labelling, by shapely and scipy alone."""
    off = off_target(case.blocks, case.urban, label)
    shapes = dissolve(case.blocks.polygons, label)
    compact = polsby_popper(shapes)
    wide, narrow = (could_fit(case, label, tolerance) for tolerance in (0.2, 0.1))
    return {
        "grids": len(shapes),
        "within_20": _share(off <= 0.2 + 1e-9),
        "within_10": _share(off <= 0.1 + 1e-9),
        "cut_grids": int(wide.sum()),
        "cut_within_20": _share(off[wide] <= 0.2 + 1e-9),
        "cut_within_10": _share(off[narrow] <= 0.1 + 1e-9),
        "contiguous": 100 * _whole_share(case, label),
        "compactness": float(compact.mean()),
        "compactness_p5": float(np.quantile(compact, 0.05)),
        "street_share": _street_share(case.borders, label, case.blocks.community),
    }


def _share(met: NDArray[np.bool_]) -> float:
    return float(100 * met.mean()) if met.size else 100.0


def _whole_share(case: Case, label: Int) -> float:
    """Share of grids in one piece; empty ground that lies apart may be in a grid nearby."""
    blocks = case.blocks
    joined = with_ferries(case.borders, blocks.polygons, blocks.community, blocks.households)
    kin = label[joined.left] == label[joined.right]
    part = connected_parts(len(label), joined.left[kin], joined.right[kin])
    pieces = np.unique(np.column_stack([label, part]), axis=0)
    return float((np.bincount(pieces[:, 0]) == 1).mean())


def _street_share(borders: Borders, label: Int, community: Int) -> float:
    inner = (label[borders.left] != label[borders.right]) & (
        community[borders.left] == community[borders.right]
    )
    length = borders.length_m[inner].sum()
    return float(100 * (1 - borders.off_street_m[inner].sum() / length)) if length else 100.0


def ours(case: Case) -> Int:
    """The engine, one process."""
    return partition(case.blocks, case.borders, case.urban, Rules(), seed=1).label


def by_peer(case: Case, peer: Peer) -> Int:
    """A peer, piece by piece, with the nearest number of grids."""
    blocks, rules = case.blocks, Rules()
    size = blocks.households.astype(float)
    small = np.where(case.urban, rules.urban.least, rules.rural.least)[blocks.community] / 2
    piece, _ = find_pieces(size, blocks.community, blocks.zone, case.borders, small)
    area, edge = shapely.area(blocks.polygons), shapely.length(blocks.polygons)
    centres = shapely.get_coordinates(shapely.centroid(blocks.polygons))
    none = np.full(len(size), -1, np.int64)
    label, made = np.zeros(len(size), np.int64), 0
    order = np.argsort(piece, kind="stable")
    for nodes in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        aim = rules.urban if case.urban[blocks.community[nodes[0]]] else rules.rural
        total = size[nodes].sum()
        parts = min(
            aim.grids_for(total), key=lambda k, t=total, a=aim: abs(t / k - a.target), default=1
        )
        parts = max(1, min(parts, len(nodes)))
        found = np.zeros(len(nodes), np.int64)
        if parts > 1:
            found = peer(
                take_piece(nodes, size, area, edge, case.borders, none), centres[nodes], parts
            )
        found = np.unique(found, return_inverse=True)[1].reshape(-1)
        label[nodes] = found + made
        made += int(found.max()) + 1
    return label


def run_alone(case: Case, method: str, work: Callable[[], Int], limit_s: float) -> Figures | str:
    """Run one method in a process of its own; a text where it cannot or takes too long."""
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_alone, args=(work, writer))
    child.start()
    writer.close()
    answer: Any = f"took more than {limit_s:.0f} s"
    if reader.poll(limit_s):
        try:
            answer = reader.recv()
        except EOFError:
            answer = "ended without an answer"
    child.kill()
    child.join()
    if isinstance(answer, str):
        return answer
    label, seconds, peak = answer
    return Figures(case.name, method, seconds=seconds, peak_mib=peak, **measure(case, label))


def _alone(work: Callable[[], Int], writer: Any) -> None:
    # Peers print from C and warn at length.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    try:
        label = work()
    except ImportError as error:
        writer.send(f"not installed: {error.name}")
        return
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way: it is reported
        writer.send(f"failed: {type(error).__name__}: {str(error)[:80]}")
        return
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    writer.send((label, seconds, max(peak - base, 0) / 1024))


def judge(rows: list[Figures]) -> list[str]:
    """Every bar that is missed, in words."""
    missed = []
    for name in {row.case for row in rows}:
        here = {row.method: row for row in rows if row.case == name}
        mine = here.pop(OURS, None)
        if mine is None:
            continue
        if mine.contiguous < 100:
            missed.append(f"{name}: only {mine.contiguous:.2f} % of the grids are contiguous")
        if name in UNIT_BARS:
            share, shape = UNIT_BARS[name]
            if mine.within_20 < share or mine.compactness < shape:
                missed.append(
                    f"{name}: {mine.within_20:.1f} %, PP {mine.compactness:.3f}; "
                    f"bar {share} %, {shape}"
                )
        elif name not in WHOLE and (
            mine.cut_within_20 < CUT_BARS[0] or mine.cut_within_10 < CUT_BARS[1]
        ):
            missed.append(
                f"{name}, where blocks may be cut: ±20 % {mine.cut_within_20:.1f} (bar 97), "
                f"±10 % {mine.cut_within_10:.1f} (bar 88)"
            )
        missed += _against(mine, here)
    return sorted(missed)


def _against(mine: Figures, peers: dict[str, Figures]) -> list[str]:
    missed = [
        f"{mine.case}: {row.method} has {row.within_20:.1f} % within ±20 %, ours is "
        f"{mine.within_20:.1f}"
        for row in peers.values()
        if row.within_20 >= mine.within_20 and row.contiguous >= 99.99
    ]
    close = [
        r for r in peers.values() if r.contiguous >= 99.99 and r.within_20 >= mine.within_20 - 5
    ]
    for aim in ("compactness", "street_share"):
        best = max((getattr(row, aim) for row in close), default=-1.0)
        if best > getattr(mine, aim) + 5e-4:
            missed.append(
                f"{mine.case}: a close peer's {aim} is {best:.3f}, ours {getattr(mine, aim):.3f}"
            )
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="one made-up case, within a minute")
    parser.add_argument("--case", action="append", help="only these cases")
    parser.add_argument("--method", action="append", help="only these methods")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one method")
    options = parser.parse_args()
    rows: list[Figures] = []
    partition(*_warm())
    for case in _cases(options.small, options.case):
        for method in options.method or (OURS, *PEERS):
            work = (
                (lambda c=case: ours(c))
                if method == OURS
                else (lambda c=case, m=method: by_peer(c, PEERS[m]))
            )
            limit = 20.0 if options.small else options.limit
            answer = run_alone(case, method, work, limit)
            if isinstance(answer, str):
                print(f"{case.name:14} {method:20} {answer}", file=sys.stderr)
                continue
            rows.append(answer)
            if not options.json:
                _print(answer)
    missed = [] if options.small else judge(rows)
    if options.json:
        print(json.dumps({"figures": [asdict(row) for row in rows], "missed": missed}, indent=1))
    else:
        print("\n".join(missed) or "every bar is met")
    return 1 if missed else 0


def _warm() -> tuple[Any, ...]:
    """Compile the kernels before anything is timed."""
    case = lattice(15, 0)
    return case.blocks, case.borders, case.urban


def _cases(small: bool, names: list[str] | None) -> list[Case]:
    if small:
        return [lattice(36, 1)]
    wanted = names or ["monaco", "nanjing", "taichung", "malta", "chiayi", "kaohsiung", "lattice"]
    if not shared_data().is_dir():
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    cities = tuple(n for n in ("monaco", "nanjing", "taichung", "malta") if n in wanted)
    found = osm_cities(cities) if cities else []
    files = {"chiayi": "chiayi_city_units", "kaohsiung": "kaohsiung_units"}
    found += [units(file) for name, file in files.items() if name in wanted]
    return found + ([lattice(120, 1)] if "lattice" in wanted else [])


def _print(row: Figures) -> None:
    print(
        f"{row.case:14} {row.method:20} {row.grids:6} grids  ±20 % {row.within_20:5.1f}  "
        f"±10 % {row.within_10:5.1f}  "
        f"(may be cut: {row.cut_grids} grids, {row.cut_within_20:.1f}, {row.cut_within_10:.1f})  "
        f"whole {row.contiguous:6.2f}  PP {row.compactness:.3f} "
        f"(p5 {row.compactness_p5:.3f})  streets {row.street_share:5.1f}  "
        f"{row.seconds:7.2f} s  {row.peak_mib:6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
