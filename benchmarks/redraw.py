"""Redrawing at the size of a county: edits over HTTP, fresh tiles, publication, tiles a second.

The county is made up (`benchmarks._made_county`: 18,225 published grids of 109,350 blocks with
218,700 buildings and addresses; ``--small``: 324 grids). PostgreSQL is durable, the server a
process of its own. Edits are valid ones of all kinds, by two planners in turn over many drafts;
a third connection watches by server-sent events and fetches the tile of what changed. Tiles are
asked for by wrk, of ours without its cache and of tipg from the same table in the same run.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
from sqlalchemy import text

from benchmarks._cases import spare_database
from benchmarks._made_county import COUNTY, MadeCounty, make_county
from benchmarks._server import PASSWORD, SignedIn, running, served
from benchmarks.locator import say
from benchmarks.who import free_port
from data.accounts import add_account
from data.database import Database
from data.models import Edit, Generation
from gis.coverage import dissolve
from gis.errors import GeometryError
from grids.drafting import Workbench
from grids.publishing import publish
from grids.redraw import DraftState, EditRefusedError, apply, operation_to_json, resolve
from tests.redraw import random_operation

Row = dict[str, Any]
# Bars of the issue.
_EDIT_P50_MS, _EDIT_P99_MS, _FRESH_S, _PUBLISH_S, _TILES = 60.0, 250.0, 1.0, 20.0, 0.5


class Planner(SignedIn):
    """A signed-in planner over HTTP."""

    def post(self, path: str, body: Row, version: int = 0) -> httpx2.Response:
        """Post to the drafts' API, as seen at a version."""
        headers = {"X-CSRF-Token": self.csrf, "If-Match": f'"{version}"'}
        return self.web.post(f"/api/v1/drafts{path}", json=body, headers=headers)


class Model:
    """What the drafts must look like: an editor beside the server that finds valid edits."""

    def __init__(self, database: Database, drafts: list[int], seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a benchmark's dice
        self._database, self._bench = database, Workbench(COUNTY)
        self.states = {draft: DraftState() for draft in drafts}
        self.heads = dict.fromkeys(drafts, 0)
        self.versions = dict.fromkeys(drafts, 0)

    def next(self, draft: int, code: str) -> Any:
        """A valid operation on a community; the model does it too."""
        state = self.states[draft]
        if code not in state.plans:
            with self._database.session() as session:
                held = session.get_one(Generation, draft)
                state = state.with_plan(self._bench.base(session, held, code))
        while True:
            asked = random_operation(self.rng, {code: state.plans[code]})
            if asked.operation in {"repartition", "assign"}:
                continue
            try:
                done = resolve(state, asked)
                self.states[draft] = apply(state, done, self.heads[draft] + 1)
            except (EditRefusedError, GeometryError):
                continue
            self.heads[draft] += 1
            return asked


def edits(base: str, database: Database, county: MadeCounty, count: int) -> Row:
    """Milliseconds from request to acknowledgement, first visits of a community among them."""
    two = [Planner(base, database, login) for login in ("one", "two")]
    drafts = [two[0].post("", {"title": str(n)}).json()["draft"] for n in range(20)]
    model = Model(database, drafts, 1)
    took: list[float] = []
    kinds: dict[str, list[float]] = {}
    for n in range(count):
        draft = drafts[n % len(drafts)]
        # A planner works for a while in one community, then goes on to the next.
        code = county.codes[(draft * 37 + n // len(drafts) // 6) % len(county.codes)]
        asked = operation_to_json(model.next(draft, code))
        begin = time.perf_counter()
        answer = two[n % 2].post(f"/{draft}/edits", asked, model.versions[draft])
        took.append(1000 * (time.perf_counter() - begin))
        if answer.status_code != 200:
            raise SystemExit(f"edit {n} {asked['operation']} failed: {answer.text[:500]}")
        model.versions[draft] = answer.json()["version"]
        kinds.setdefault(asked["operation"], []).append(took[-1])
    p50, p99 = np.percentile(took, [50, 99])
    lost = _lost(database, model)
    return {
        "edits": count,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "most_ms": max(took),
        "lost": lost,
        "p50_ms_by_kind": {kind: float(np.median(one)) for kind, one in sorted(kinds.items())},
    }


def _lost(database: Database, model: Model) -> int:
    """Edits that the database does not hold."""
    with database.session() as session:
        held = sum(
            session.query(Edit).filter(Edit.generation_id == draft).count() for draft in model.heads
        )
    return sum(model.heads.values()) - held


def fresh_tiles(base: str, database: Database, county: MadeCounty, count: int) -> Row:
    """Seconds from one planner's request until the other holds the changed tile."""
    one, two = (Planner(base, database, login) for login in ("one", "two"))
    draft = one.post("", {"title": "tiles"}).json()["draft"]
    model = Model(database, [draft], 2)
    took: list[float] = []
    told: dict[int, float] = {}
    ready = threading.Event()

    def watch() -> None:
        with (
            suppress(httpx2.HTTPError),
            two.web.stream("GET", f"/api/v1/drafts/{draft}/events", timeout=None) as stream,
        ):
            ready.set()
            for line in stream.iter_lines():
                if line.startswith("data:") and '"change"' in line:
                    facts = json.loads(line[5:])
                    x, y = place
                    got = fetcher.web.get(
                        f"/tiles/draft/{draft}/15/{x}/{y}.mvt?v={facts['version']}"
                    )
                    if got.status_code == 200:
                        told[facts["version"]] = time.perf_counter()

    fetcher = Planner(base, database, "two")
    place = (0, 0)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    ready.wait(10)
    time.sleep(0.5)
    for n in range(count):
        code = county.codes[n % len(county.codes)]
        asked = model.next(draft, code)
        shape = model.states[draft].plans[code].figures[0].polygon
        place = _tile_of(*shape.centroid.coords[0], 15)
        begin = time.perf_counter()
        answer = one.post(f"/{draft}/edits", operation_to_json(asked), model.versions[draft])
        model.versions[draft] = version = answer.json()["version"]
        while version not in told and time.perf_counter() - begin < 5:
            time.sleep(0.001)
        took.append(told.get(version, begin + 99) - begin)
    p50, p99 = np.percentile(took, [50, 99])
    return {"edits": count, "p50_s": float(p50), "p99_s": float(p99), "most_s": max(took)}


def _tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    angle = np.radians(lat)
    x = (lon + 180) / 360 * 2**z
    y = (1 - np.arcsinh(np.tan(angle)) / np.pi) / 2 * 2**z
    return int(x), int(y)


def tile_paths(county: MadeCounty, count: int) -> list[tuple[int, int, int]]:
    """Tiles as people look at them: zooms 12 to 16 around places of the county."""
    rng = np.random.default_rng(3)
    chosen = rng.integers(0, len(county.polygons), count)
    zooms = rng.integers(12, 17, count)
    found = []
    for n, z in zip(chosen.tolist(), zooms.tolist(), strict=True):
        x, y = _tile_of(*county.polygons[n].centroid.coords[0], z)
        found.append((z, x, y))
    return found


def wrk(paths: list[str], base: str, seconds: int, folder: Path) -> Row:
    """Requests a second over a list of paths; every answer must be 2xx."""
    listed = ",\n".join(f'"{path}"' for path in paths)
    script = folder / "paths.lua"
    script.write_text(
        f"local paths = {{{listed}}}\nlocal at = 0\n"
        "request = function()\n  at = at % #paths + 1\n"
        "  return wrk.format('GET', paths[at])\nend\n",
        "utf-8",
    )
    command = [shutil.which("wrk") or "wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(script), base]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"tiles failed: {done.stdout}")
    return {"per_second": float(re.findall(r"Requests/sec:\s*([\d.]+)", done.stdout)[0])}


@contextmanager
def tipg(database: Database) -> Iterator[str]:
    """Tipg's server over the same database."""
    port = free_port()
    address = database.engine.url
    # The driver of tipg takes the folder of the socket for a host.
    folder = quote(str(address.query.get("host", "127.0.0.1")), safe="")
    url = f"postgresql://{address.username}:none@{folder}:5432/{address.database}"
    environment = {
        "DATABASE_URL": url,
        "TIPG_DB_SCHEMAS": '["public"]',
        "TIPG_MAX_FEATURES_PER_TILE": "20000",
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "tipg.main:app",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    with running(command, environment, port) as base:
        yield base


def tiles(base: str, database: Database, county: MadeCounty, seconds: int) -> Row:
    """Tiles a second of the published grids: ours without and with its cache, and tipg's."""
    places = tile_paths(county, 400)
    found: Row = {}
    with tempfile.TemporaryDirectory() as folder:
        ours = [f"/tiles/plan/{z}/{x}/{y}.mvt" for z, x, y in places]
        for name, paths in {
            "ours": ours,
            "ours, kept by version": [f"{p}?v=1" for p in ours],
        }.items():
            wrk(paths, base, 2, Path(folder))
            found[name] = wrk(paths, base, seconds, Path(folder))
        with tipg(database) as peer:
            theirs = [
                f"/collections/public.grid/tiles/WebMercatorQuad/{z}/{x}/{y}" for z, x, y in places
            ]
            wrk(theirs, peer, 2, Path(folder))
            found["tipg"] = wrk(theirs, peer, seconds, Path(folder))
    found["ratio"] = found["ours"]["per_second"] / found["tipg"]["per_second"]
    return found


def publication(base: str, database: Database, county: MadeCounty) -> Row:
    """Seconds to publish a draft in which every grid is new, and what is answered meanwhile."""
    with database.session() as session:
        draft = _redrawn(session, county)
    lon, lat = county.polygons[len(county.polygons) // 2].centroid.coords[0]
    seen: list[str] = []
    failed: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=base, timeout=60) as web:
            while not stop.is_set():
                answer = web.get(f"/api/v1/who?lon={lon}&lat={lat}")
                if answer.status_code == 200:
                    seen.append(answer.json()["grid"]["code"])
                else:
                    failed.append(answer.status_code)
                time.sleep(0.005)  # in this process: it is not to hold the publication up

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.5)
    begin = time.perf_counter()
    with database.session() as session:
        publish(session, COUNTY, draft)
    took = time.perf_counter() - begin
    # Until the server's directory is the new one.
    while len(set(seen)) < 2 and time.perf_counter() - begin < took + 60:
        time.sleep(0.01)
    switched = time.perf_counter() - begin
    time.sleep(0.5)
    stop.set()
    thread.join()
    turns = sum(a != b for a, b in pairwise(seen))
    with database.session() as session:
        grids = session.scalar(text("SELECT count(*) FROM grid WHERE upper_inf(valid)"))
    return {
        "grids": grids,
        "publish_s": took,
        "answers_switched_s": switched,
        "answers": len(seen),
        "failed": len(failed),
        "switches": turns,
    }


def _redrawn(session: Any, county: MadeCounty) -> int:
    """A draft of the whole county, as a drawing of the engine leaves it."""
    from data.store import upsert
    from gis.shape import as_multipolygon

    label = county.redrawn()
    shapes = dissolve(county.polygons, label)
    households = np.bincount(label, weights=county.households).astype(int)
    draft = Generation(county=COUNTY, author="benchmark", base_id=1, area=COUNTY, head=1)
    session.add(draft)
    session.flush()
    session.add(
        Edit(
            county=COUNTY,
            generation_id=draft.id,
            position=1,
            operation="partition",
            arguments={"parts": {}},
            author="benchmark",
        )
    )
    own = {"generation_id": draft.id, "county": COUNTY}
    codes = county.codes
    upsert(session, "draft_community", [own | {"community": code} for code in codes], key=())
    keys = [f"{codes[n // 9]}+1.{n % 9 + 1}" for n in range(len(shapes))]
    grids = [
        own
        | {
            "key": keys[n],
            "community": codes[n // 9],
            "code": "",
            "name": "",
            "kind": "urban",
            "heir_of": f"{codes[n // 9]}{n % 9 + 1:03d}",
            "households": int(households[n]),
            "blocks": 6,
            "compactness": 0.7,
            "walk_m": 300.0,
            "geom": as_multipolygon(shape),
        }
        for n, shape in enumerate(shapes)
    ]
    upsert(session, "draft_grid", grids, key=())
    blocks = [
        own
        | {
            "key": str(n + 1),
            "block_id": n + 1,
            "community": codes[c],
            "grid_key": keys[g],
            "households": h,
            "geom": shape,
        }
        for n, (c, g, h, shape) in enumerate(
            zip(
                county.community.tolist(),
                label.tolist(),
                county.households.tolist(),
                county.polygons,
                strict=True,
            )
        )
    ]
    upsert(session, "draft_block", blocks, key=())
    return int(draft.id)


def judge(report: dict[str, Any], *, small: bool) -> list[str]:
    """Bars that were missed; small runs are too small to time."""
    missed = [f"{report['edits']['lost']} edits are lost"] if report["edits"]["lost"] else []
    switch = report["publication"]
    if switch["switches"] != 1 or switch["failed"]:
        missed.append(f"answers switched {switch['switches']} times, {switch['failed']} failed")
    if small:
        return missed
    for name, value, bar in (
        ("edit p50, ms", report["edits"]["p50_ms"], _EDIT_P50_MS),
        ("edit p99, ms", report["edits"]["p99_ms"], _EDIT_P99_MS),
        ("tile fresh p99, s", report["fresh"]["p99_s"], _FRESH_S),
        ("publication, s", switch["publish_s"], _PUBLISH_S),
    ):
        if value > bar:
            missed.append(f"{name}: {value:.2f}, bar {bar:g}")
    if report["tiles"]["ratio"] < _TILES:
        missed.append(f"tiles: {report['tiles']['ratio']:.2f} of tipg, bar {_TILES}")
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="324 grids, short runs")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    small = options.small
    county = MadeCounty(6 if small else 45)
    report: dict[str, Any] = {}
    with spare_database(durable=True) as database, tempfile.TemporaryDirectory() as folder:
        with database.session() as session:
            report["county"] = make_county(session, county)
            for login in ("one", "two"):
                add_account(session, COUNTY, login, login, PASSWORD, ("planner",))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT; ANALYZE")
        say(report["county"])
        with served(database, folder) as base:
            for name, run in {
                "edits": lambda: edits(base, database, county, 80 if small else 800),
                "fresh": lambda: fresh_tiles(base, database, county, 10 if small else 100),
                "tiles": lambda: tiles(base, database, county, 2 if small else 10),
                "publication": lambda: publication(base, database, county),
            }.items():
                if name == "tiles" and not _has_tipg():
                    continue
                report[name] = run()
                say({name: report[name]})
    missed = judge(report, small=small)
    print(json.dumps(report | {"missed": missed}, indent=1, ensure_ascii=False))
    return 1 if missed else 0


def _has_tipg() -> bool:
    from importlib.util import find_spec

    return find_spec("tipg") is not None


if __name__ == "__main__":
    raise SystemExit(main())
