"""How the partition grows: blocks against seconds, two workers against one, re-partition.

Made-up lattices (`benchmarks._cases.lattice`): bent squares, lumpy households, communities of
144 blocks, a third of them rural. Seconds are of `partition` alone, in one process unless said.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._cases import Case, lattice, off_target, shared_data, units
from grids.blocks import Blocks
from grids.partition import partition

Int = NDArray[np.int64]
Row = dict[str, Any]


def timed(case: Case, **options: Any) -> tuple[float, Int]:
    """Seconds of one partition, and its labels."""
    began = time.perf_counter()
    label = partition(case.blocks, case.borders, case.urban, seed=1, **options).label
    return time.perf_counter() - began, label


def within(case: Case, label: Int, share: float) -> float:
    """Share of grids within a share of their target, in per cent."""
    off = off_target(case.blocks, case.urban, label)
    return float((off <= share + 1e-9).mean() * 100)


def growth(sides: list[int]) -> list[Row]:
    """Seconds over blocks, and the exponent between neighbours: n log n is about 1.1."""
    rows: list[Row] = []
    for side in sides:
        case = lattice(side, 1)
        seconds, label = timed(case)
        row = {"blocks": side * side, "grids": int(label.max()) + 1, "seconds": seconds}
        row["within_20"] = within(case, label, 0.2)
        if rows:
            steps = np.log(row["blocks"] / rows[-1]["blocks"])
            row["exponent"] = float(np.log(seconds / rows[-1]["seconds"]) / steps)
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    return rows


def workers(side: int) -> Row:
    """Two processes against one, started and warm; in turn, the median of three."""
    case = lattice(side, 2)
    one, two = [], []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        _, first = timed(case, executor=pool)
        for _ in range(3):
            seconds, label = timed(case)
            one.append(seconds)
            one_label = label
            seconds, label = timed(case, executor=pool)
            two.append(seconds)
    same = bool(np.array_equal(first, one_label) and np.array_equal(label, one_label))
    ratio = float(np.median(one) / np.median(two))
    return {
        "one_s": float(np.median(one)),
        "two_s": float(np.median(two)),
        "ratio": ratio,
        "same": same,
    }


def repartition(side: int) -> Row:
    """After the households of 5 % of the blocks have changed: what moves, how balanced."""
    case = lattice(side, 3)
    _, before = timed(case)
    rng = np.random.default_rng(4)
    households = case.blocks.households.copy()
    urban = case.urban[case.blocks.community]
    for kind in (urban, ~urban):
        chosen = np.flatnonzero(kind & (rng.random(len(households)) < 0.05))
        households[chosen] = rng.permutation(households[chosen])
    blocks = Blocks.of(case.blocks.polygons, case.blocks.community, households=households)
    changed = Case("", blocks, case.borders, case.urban, has_streets=False, cut=True)
    _, fresh = timed(changed)
    seconds, kept = timed(changed, prior=before)
    stays = np.zeros(int(kept.max()) + 1)
    pairs, inverse = np.unique(np.column_stack([kept, before]), axis=0, return_inverse=True)
    shared = np.bincount(inverse.reshape(-1), weights=households)
    np.maximum.at(stays, pairs[:, 0], shared)
    return {
        "moved_per_cent": float(100 * (1 - stays.sum() / households.sum())),
        "within_20_kept": within(changed, kept, 0.2),
        "within_20_fresh": within(changed, fresh, 0.2),
        "seconds": seconds,
    }


def kaohsiung() -> Row:
    """The 17,387 official units of Kaohsiung in their CODE2 groups, one process."""
    case = units("kaohsiung_units")
    seconds, label = timed(case)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "peak_gib": peak, "within_20": within(case, label, 0.2)}


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="up to 2,304 blocks")
    parser.add_argument("--million", action="store_true", help="up to 1,000,000 blocks: an hour")
    options = parser.parse_args()
    timed(lattice(15, 0))  # compiles the kernels
    report: dict[str, Any] = {}
    sides = [24, 48] if options.small else [100, 316, 1000] if options.million else [100, 316]
    if not options.small and shared_data().is_dir():
        report["kaohsiung"] = kaohsiung()
    report["growth"] = growth(sides)
    report["workers"] = workers(36 if options.small else 150)
    report["repartition"] = repartition(48 if options.small else 150)
    missed = judge(report, small=options.small)
    print(json.dumps(report | {"missed": missed}, indent=1))
    return 1 if missed else 0


def judge(report: dict[str, Any], *, small: bool) -> list[str]:
    """Bars that are missed; a small run is too short to time workers by."""
    missed = []
    again = report["repartition"]
    if again["moved_per_cent"] > 10 or again["within_20_kept"] < again["within_20_fresh"] - 1:
        missed.append(f"re-partition: {again}")
    if not report["workers"]["same"]:
        missed.append("two workers give another answer than one")
    if small:
        return missed
    if report["workers"]["ratio"] < 1.7:
        missed.append(f"two workers are {report['workers']['ratio']:.2f} times one (bar 1.7)")
    if any(row.get("exponent", 1.0) > 1.15 for row in report["growth"]):
        missed.append("seconds grow faster than n log n")
    whole = report.get("kaohsiung")
    if whole and (whole["seconds"] > 60 or whole["peak_gib"] > 2):
        missed.append(f"Kaohsiung whole: {whole}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
