"""Valhalla, its car costing, on tiles of its own."""

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks._peer_worker import HOME, PeerWorker, environment, package_of, run_tool

__all__ = ["valhalla_worker"]

_CONFIG = r"""
import json, sys
from valhalla import get_config
config = get_config(tile_extract="", tile_dir=sys.argv[1])
config["service_limits"]["auto"]["max_matrix_location_pairs"] = 200_000
config["service_limits"]["auto"]["max_matrix_distance"] = 1e9
print(json.dumps(config))
"""
_WORKER = r"""
import json, sys, time
from valhalla import Actor

actor = Actor(sys.argv[1])

def at(place):
    return {"lon": place[0], "lat": place[1]}

def route(a, b):
    return actor.route({"locations": [at(a), at(b)], "costing": "auto", "directions_type": "none"})

def matrix(starts, ends):
    return actor.matrix({"sources": [at(p) for p in starts], "targets": [at(p) for p in ends],
                         "costing": "auto", "verbose": False})

def run(task):
    if task["kind"] == "route":
        begun = time.perf_counter()
        found = route(*task["ends"])
        return time.perf_counter() - begun, found["trip"]["summary"]["time"]
    if task["kind"] == "matrix":
        begun = time.perf_counter()
        matrix(task["starts"], task["ends"])
        return time.perf_counter() - begun, None
    raise ValueError(task["kind"])
"""


def valhalla_worker(extract: Path) -> PeerWorker:
    """A worker for one city.

    Raises
    ------
    PeerAbsentError
        If Valhalla cannot be installed or cannot build its tiles.
    """
    package = package_of("valhalla")
    tiles = HOME / f"{extract.name.split('.')[0]}-tiles"
    config = tiles.with_suffix(".json")
    if not config.exists():
        shutil.rmtree(tiles, ignore_errors=True)
        tiles.mkdir(parents=True)
        made = subprocess.check_output([environment(), "-c", _CONFIG, tiles], text=True)
        draft = config.with_suffix(".part")
        draft.write_text(json.dumps(json.loads(made)), encoding="utf-8")
        run_tool([package / "bin" / "valhalla_build_tiles", "-c", draft, extract])
        draft.rename(config)
    return PeerWorker("valhalla-worker", _WORKER, config)
