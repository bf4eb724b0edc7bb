"""An interrupted partition goes on where it stopped."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks._cases import lattice
from grids.partition import FinishedPieces, Rules, partition
from grids.partition._solve import Effort

pytestmark = pytest.mark.unit

CASE = lattice(18, 5, community_side=6)
QUICK = Effort(steps=500, starts=2)


def run(finished: FinishedPieces | None, progress=None, rules: Rules | None = None):
    return partition(
        CASE.blocks,
        CASE.borders,
        CASE.urban,
        rules or Rules(),
        effort=QUICK,
        finished=finished,
        progress=progress,
    )


def stop_after(blocks: int):
    def progress(done: int, _total: int) -> None:
        if done >= blocks:
            raise KeyboardInterrupt

    return progress


def test_what_was_solved_before_ctrl_c_is_not_solved_again(tmp_path: Path, monkeypatch) -> None:
    # By its name `grids.partition` is the function.
    monkeypatch.setattr(import_module("grids.partition.engine"), "_BATCH_BLOCKS", 36)
    finished = FinishedPieces(tmp_path / "partition")
    with pytest.raises(KeyboardInterrupt):
        run(finished, stop_after(108))
    assert 3 <= len(finished) < 9
    counts: list[int] = []
    again = run(finished, lambda done, _total: counts.append(done))
    assert counts[0] > 108, "it begins with what was done"
    assert len(finished) == 9
    np.testing.assert_array_equal(again.label, run(None).label)
    finished.clear()
    assert len(finished) == 0


def test_other_rules_are_solved_anew(tmp_path: Path) -> None:
    finished = FinishedPieces(tmp_path)
    run(finished)
    run(finished, rules=Rules(measure="people"))
    assert len(finished) == 18


def test_a_torn_file_counts_as_none(tmp_path: Path) -> None:
    finished = FinishedPieces(tmp_path)
    first = run(finished)
    torn = next(tmp_path.glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:100])
    np.testing.assert_array_equal(run(finished).label, first.label)
    assert torn.stat().st_size > 100
