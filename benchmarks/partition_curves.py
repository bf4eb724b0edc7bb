"""Curves: score against seconds beside METIS, and balance against compactness.

The score is the engine's own (balance, compactness, streets), the mean over grids, lower is
better; METIS gets more seeds and balances for its seconds, the engine more steps. The second
curve is drawn by the weight of the balance, in one run.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks._cases import Case, lattice, osm_cities, shared_data, units
from benchmarks._peers import metis_best_of
from benchmarks.partition import by_peer, measure
from gis.coverage import dissolve
from grids.kernels import grid_cost, parameters
from grids.partition import Rules, partition
from grids.partition._solve import Effort

Int = NDArray[np.int64]
Row = dict[str, Any]
STEPS = (250, 1000, 4000, 12000, 48000)
TRIES = (1, 4, 24, 96)
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)


def score(case: Case, label: Int) -> float:
    """Mean score of the grids that have a target, from their polygons."""
    blocks, borders, weights = case.blocks, case.borders, Rules().weights
    shapes = dissolve(blocks.polygons, label)
    count = len(shapes)
    held = np.bincount(label, weights=blocks.households, minlength=count)
    off = np.zeros(count)
    inner = label[borders.left] != label[borders.right]
    for side in (borders.left[inner], borders.right[inner]):
        np.add.at(off, label[side], borders.off_street_m[inner])
    urban, dedicated = np.zeros(count, bool), np.zeros(count, bool)
    urban[label] = case.urban[blocks.community]
    dedicated[label[blocks.zone >= 0]] = True
    area, edge = shapely.area(shapes), shapely.length(shapes)
    sizes = {True: Rules().urban, False: Rules().rural}
    vectors = {
        flag: parameters(
            size.target,
            size.least,
            size.most,
            inner=0.1,
            balance=weights.balance,
            compact=weights.compactness,
            street=weights.streets,
        )
        for flag, size in sizes.items()
    }
    costs = [
        grid_cost(held[g], area[g], edge[g], off[g], vectors[bool(urban[g])])
        for g in np.flatnonzero(~dedicated)
    ]
    return float(np.mean(costs))


def engine(case: Case, steps: int = Effort().steps, balance: float = 1.0) -> Int:
    """Labels of the engine at an effort and a weight of the balance."""
    rules = Rules(weights=replace(Rules().weights, balance=balance))
    effort = replace(Effort(), steps=steps)
    return partition(case.blocks, case.borders, case.urban, rules, seed=1, effort=effort).label


def timed(case: Case, name: str, work: Callable[[], Int]) -> Row:
    """Score, seconds and shares of one run."""
    began = time.perf_counter()
    label = work()
    seconds = time.perf_counter() - began
    figures = measure(case, label)
    row = {"case": case.name, "run": name, "seconds": seconds, "score": score(case, label)}
    row |= {key: figures[key] for key in ("within_20", "within_10", "compactness", "contiguous")}
    print(" ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()),
          file=sys.stderr, flush=True)  # fmt: skip
    return row


def against_metis(case: Case) -> list[Row]:
    """Both at several efforts."""
    engine(case, STEPS[0])  # compiled before it is timed
    rows = [timed(case, f"OneGrid {s}", partial(engine, case, s)) for s in STEPS]
    try:
        peers = [(n, metis_best_of(n)) for n in TRIES]
        rows += [timed(case, f"METIS {n}", partial(by_peer, case, p)) for n, p in peers]
    except ImportError:
        print("METIS is not installed: make bench", file=sys.stderr)
    return rows


def judge(rows: list[Row]) -> list[str]:
    """METIS runs that no run of the engine in as many seconds equals in score."""
    missed = []
    for peer in (row for row in rows if row["run"].startswith("METIS")):
        mine = [
            row["score"]
            for row in rows
            if row["case"] == peer["case"]
            and row["run"].startswith("OneGrid")
            and row["seconds"] <= peer["seconds"]
        ]
        if not mine or min(mine) > peer["score"]:
            missed.append(
                f"{peer['case']}: nothing of ours in {peer['seconds']:.2f} s is as good as "
                f"{peer['run']} ({peer['score']:.3f})"
            )
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="a made-up lattice")
    options = parser.parse_args()
    if options.small:
        close = [lattice(18, 2, community_side=6)]
        shape = close
    elif shared_data().is_dir():
        chiayi = units("chiayi_city_units")
        close = [*osm_cities(("monaco",)), chiayi, lattice(120, 1)]
        shape = [chiayi]
    else:
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    rows = [row for case in close for row in against_metis(case)]
    curve = [
        timed(case, f"balance {w}", partial(engine, case, balance=w))
        for case in shape
        for w in WEIGHTS
    ]
    missed = judge(rows)
    print(json.dumps({"score": rows, "balance": curve, "missed": missed}, indent=1))
    return 1 if missed and not options.small else 0


if __name__ == "__main__":
    raise SystemExit(main())
