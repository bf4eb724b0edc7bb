"""Pages of libraries' code: given back, and there again when they are used."""

import subprocess
import sys

from tests.conftest import ROOT

PROGRAM = """
import numpy as np, re, shapely
from numba import njit
from data.memory import give_back_code

def resident():
    said = open("/proc/self/smaps_rollup").read()
    return int(re.search(r"^Rss:\\s+(\\d+)", said, re.M)[1])

@njit
def square(x):
    return x * x

assert square(3) == 9
before = resident()
give_back_code()
after = resident()
assert square(4) == 16
assert njit(lambda x: x + 1)(1) == 2
assert shapely.box(0, 0, 1, 1).buffer(1).area > 7
assert np.linalg.det(np.eye(3)) == 1
print(before, after)
"""


def test_code_that_was_given_back_runs_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert after < before - 20_000
