"""OSRM with contraction hierarchies, its car profile."""

import shutil
from pathlib import Path

from benchmarks._peer_worker import HOME, PeerWorker, package_of, run_tool

__all__ = ["osrm_worker"]

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
"""


def osrm_worker(extract: Path) -> PeerWorker:
    """A worker for one city.

    Raises
    ------
    PeerAbsentError
        If OSRM cannot be installed or cannot prepare the city.
    """
    package = package_of("osrm")
    copy = HOME / extract.name
    city = copy.with_name(extract.name.removesuffix(".osm.pbf") + ".osrm")
    if not city.with_name(city.name + ".hsgr").exists():
        shutil.copyfile(extract, copy)
        profile = package / "share" / "profiles" / "car.lua"
        run_tool([package / "bin" / "osrm-extract", "-p", profile, copy])
        run_tool([package / "bin" / "osrm-contract", city])
    return PeerWorker("osrm-worker", _WORKER, city)
