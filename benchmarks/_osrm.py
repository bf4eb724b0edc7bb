"""OSRM with contraction hierarchies as a peer: its wheel needs Python 3.12, so it gets its own.

The environment and the prepared city are made once, in the system's temporary folder. A worker
process answers over a pipe and times itself, so that the pipe is in no figure.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

__all__ = ["Osrm", "OsrmAbsentError"]

_HOME = Path(gettempdir()) / "onegrid-bench" / "osrm"
_WORKER = r"""
import json, sys, time
import numpy as np
import osrm
from scipy.spatial import cKDTree

engine = osrm.OSRM(storage_config=sys.argv[1], algorithm="CH", use_shared_memory=False)
crews = {}

def route(a, b, annotations=()):
    return engine.Route(osrm.RouteParameters(
        coordinates=[a, b], overview="full", geometries="geojson", steps=False,
        annotations=list(annotations)))

def nearest(place, crew, k, first):
    tree, people = crews[crew]
    scale = np.cos(np.radians(place[1]))
    _, near = tree.query((place[0] * scale, place[1]), min(first, len(people)))
    near = np.atleast_1d(near)
    spots = [people[i] for i in near]
    table = engine.Table(osrm.TableParameters(
        coordinates=[*spots, place], sources=list(range(len(spots))),
        destinations=[len(spots)]))
    took = [row[0] for row in table["durations"]]
    order = sorted((t, i) for i, t in enumerate(took) if t is not None)[:k]
    ways = [route(spots[i], place) for _, i in order]
    return [int(near[i]) for _, i in order], ways

def run(task):
    kind = task["kind"]
    if kind == "crew":
        people = [tuple(p) for p in task["people"]]
        scale = np.cos(np.radians(people[0][1]))
        xy = np.array(people) * (scale, 1.0)
        crews[task["name"]] = (cKDTree(xy), people)
        return 0.0, None
    if kind == "nearest":
        begun = time.perf_counter()
        found, _ = nearest(tuple(task["place"]), task["crew"], task["k"], task["first"])
        return time.perf_counter() - begun, found
    if kind == "route":
        a, b = (tuple(p) for p in task["ends"])
        begun = time.perf_counter()
        found = route(a, b, task["annotations"])
        took = time.perf_counter() - begun
        return took, found["routes"][0]["duration"]
    if kind == "matrix":
        starts, ends = ([tuple(p) for p in task[x]] for x in ("starts", "ends"))
        n, m = len(starts), len(ends)
        begun = time.perf_counter()
        engine.Table(osrm.TableParameters(
            coordinates=starts + ends, sources=list(range(n)),
            destinations=list(range(n, n + m))))
        return time.perf_counter() - begun, None
    raise ValueError(kind)

print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = run(json.loads(line))
    except Exception as error:
        answer = (None, repr(error))
    print(json.dumps(answer), flush=True)
"""


class OsrmAbsentError(Exception):
    """OSRM cannot run here, and why."""


class Osrm:
    """A worker for one city.

    Raises
    ------
    OsrmAbsentError
        If there is no Python 3.12, or its packages cannot be installed.
    """

    def __init__(self, extract: Path) -> None:
        python = _environment()
        city = _prepared(extract, python)
        script = _HOME / "worker.py"
        script.write_text(_WORKER, encoding="utf-8")
        self._process = subprocess.Popen(
            [python, script, city],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise OsrmAbsentError("the worker has no pipes")
        self._input, self._output = self._process.stdin, self._process.stdout
        if self._read() != "ready":
            raise OsrmAbsentError("the worker did not start")

    def ask(self, kind: str, **task: Any) -> tuple[float | None, Any]:
        """Seconds that a task took in the worker (None where it failed), and its answer."""
        self._input.write(json.dumps({"kind": kind} | task) + "\n")
        self._input.flush()
        took, answer = json.loads(self._read())
        return took, answer

    def close(self) -> None:
        """End the worker."""
        self._process.terminate()
        self._process.wait()

    def _read(self) -> str:
        return self._output.readline().strip()


def _environment() -> str:
    """The interpreter of an environment with OSRM's bindings."""
    python = _HOME / "env" / "bin" / "python"
    if _runs([python, "-c", "import osrm, scipy"]):
        return str(python)
    base = next((one for one in _candidates() if _runs([one, "--version"])), None)
    if base is None:
        raise OsrmAbsentError("no Python 3.12 for osrm-bindings")
    _HOME.mkdir(parents=True, exist_ok=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in (
        [base, "-m", "venv", "--clear", _HOME / "env"],
        [*install, "osrm-bindings", "scipy"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OsrmAbsentError(done.stderr.strip()[-300:])
    return str(python)


def _candidates() -> list[str]:
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob("3.12*/bin/python"))
    found = [shutil.which("python3.12"), *map(str, pyenv)]
    if sys.version_info[:2] == (3, 12):
        found.append(sys.executable)
    return [one for one in found if one]


def _runs(command: Sequence[Any]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _prepared(extract: Path, python: str) -> Path:
    """The city, extracted by the car profile and contracted."""
    where = [python, "-c", "import osrm; print(osrm.__file__)"]
    package = Path(subprocess.check_output(where, text=True).strip()).parent
    copy = _HOME / extract.name
    city = copy.with_name(extract.name.removesuffix(".osm.pbf") + ".osrm")
    if not city.with_name(city.name + ".hsgr").exists():
        shutil.copyfile(extract, copy)
        profile = package / "share" / "profiles" / "car.lua"
        for command in (
            [package / "bin" / "osrm-extract", "-p", profile, copy],
            [package / "bin" / "osrm-contract", city],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise OsrmAbsentError(done.stdout.strip()[-300:])
    return city
