"""The benchmarks run small, so that they cannot rot; what they time is not judged here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# Those that read real data.
_SHARED = {"address", "routing"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("address", []),
        ("assign", []),
        ("audit", []),
        ("card", []),
        ("locator", []),
        ("lookup", []),
        ("partition", ["--method", "OneGrid", "--method", "METIS k-way"]),
        ("partition_bounds", []),
        ("partition_county", []),
        ("partition_curves", []),
        ("partition_scale", []),
        ("redraw", []),
        ("retention", []),
        ("routing", []),
        ("signing_in", []),
        ("who", []),
    ],
)
def test_a_benchmark_runs_small_and_meets_its_bars(
    name: str, options: list[str], request: pytest.FixtureRequest
) -> None:
    if name in _SHARED:
        request.getfixturevalue("shared")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--small", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told
    assert done.returncode == 0 or _only_took_long(told), done.stdout + done.stderr


def _only_took_long(told: dict[str, Any]) -> bool:
    """Whether each bar that was missed is a time: those are not judged among other tests."""
    missed = [bar["name"] for bar in told.get("bars", ()) if not bar["met"]]
    return bool(missed) and all(name.endswith((", µs", ", ms", ", s")) for name in missed)
