"""Four web processes on one core beside four busy loops: how long until all of them answer.

``onegrid serve --workers 4`` over the demonstration city, ten times (`--small`: once), with its
PostgreSQL and four loops that never rest on the same core. Each process says in a file of its own
that it serves; the county must be ready too. The bar is 90 s, every time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from api.demo import furnish
from benchmarks._cases import spare_database
from benchmarks.who import free_port
from data.database import Database
from data.presets import seed_presets

__all__ = ["main"]

Row = dict[str, Any]
_WORKERS, _LOOPS, _TIMES, _BAR_S = 4, 4, 10, 90.0
_LOOP = "while True: pass"


@contextmanager
def busy_core() -> Iterator[int]:
    """A core on which four loops never rest; its number."""
    core = max(os.sched_getaffinity(0))
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(_LOOPS)]
    for loop in loops:
        os.sched_setaffinity(loop.pid, {core})
    try:
        yield core
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def start_once(database: Database, home: Path, core: int) -> Row:
    """Start, wait until all processes serve and the county is ready, and stop."""
    port = free_port()
    environment = {
        "ONEGRID_DATABASE_URL": database.conninfo,
        "ONEGRID_HOME": str(home),
        # Each process tells how it is in a file: that is how they are counted.
        "ONEGRID_METRICS": "local",
        "ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8",
        # The spare cluster admits 97.
        "ONEGRID_CONNECTIONS": "80",
    }
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
    begun = time.monotonic()
    with (home / "serve.log").open("wb") as log:
        program = subprocess.Popen(
            [*command, "--port", str(port), "--workers", str(_WORKERS)],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no threads here
        )
    try:
        up_s = ready_s = None
        while time.monotonic() < begun + 4 * _BAR_S and (up_s is None or ready_s is None):
            if program.poll() is not None:
                raise SystemExit((home / "serve.log").read_text(errors="replace"))
            now = time.monotonic() - begun
            if up_s is None and _serving(port) >= _WORKERS:
                up_s = round(now, 1)
            if ready_s is None and _is_ready(port):
                ready_s = round(now, 1)
            time.sleep(0.5)
    finally:
        program.terminate()
        program.wait(timeout=120)
    deaths = (home / "serve.log").read_text(errors="replace").count("has ended (")
    return {"up_s": up_s, "ready_s": ready_s, "deaths": deaths}


def _serving(port: int) -> int:
    """How many processes of the web server tell of themselves."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
    except (URLError, OSError):
        return 0
    told = [line for line in lines if line.startswith("process_start_time_seconds{")]
    return sum('part="web"' in line for line in told)


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=20) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def main() -> int:
    """Run, print, and say with the exit code whether the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="onegrid-starting-") as folder,
        spare_database() as base,
    ):
        home = Path(folder)
        with base.session() as session:
            seed_presets(session)
        furnish(base, home)
        base.engine.dispose()
        with busy_core() as core:
            times = [start_once(base, home, core) for _ in range(1 if asked.small else _TIMES)]
    late = [row for row in times if row["up_s"] is None or row["up_s"] > _BAR_S]
    row = {"workers": _WORKERS, "loops": _LOOPS, "bar_s": _BAR_S, "times": times}
    row["missed"] = [f"{len(late)} of {len(times)} starts took longer"] if late else []
    row["missed"] += ["processes died"] if any(one["deaths"] for one in times) else []
    print(json.dumps(row, indent=None if asked.json else 1))
    return 1 if row["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
