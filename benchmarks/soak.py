"""A town's day in ninety minutes: kills of every part, clocks that are set, new plans.

``onegrid up`` starts on an empty folder with two web processes, under Debian's faketime. Residents
and dispatchers ask throughout. Every part is killed twice, PostgreSQL too; the clock of all
processes is set a day ahead and back, and a day back and on; a plan is published every five
minutes. After the first third, memory, threads, descriptors, connections and files are level;
all threads live and all periodic work is done at the end; a 5xx is answered only to writes and
desks, while the database is away (`--small`: 60 s, in which nothing can be level yet).
"""

import argparse
import json
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg

from benchmarks._town_day import Answer, Town
from benchmarks.hostile import house
from data.cluster import Cluster
from data.database import Database
from data.postmaster import postmaster_of
from data.reasons import is_away
from data.settings import DEMO_COUNTY
from grids.plan import draw_draft
from grids.publishing import publish

__all__ = ["faketime", "main", "run"]

Row = dict[str, Any]
_WHOLE_S, _SMALL_S = 90 * 60.0, 60.0
_SAMPLE_S, _PROBE_S = 5.0, 0.1
# A request that was under way when the database went, or begins before the pools know it is back.
_BEFORE_S, _AFTER_S = 35.0, 10.0
_HEALED_S = 60.0
_PARTS = ("forked", "clock", "uploads", "web", "PostgreSQL")
_ON_TIME = "+0"
_DAYS = ("+1d", _ON_TIME, "-1d", _ON_TIME)
_PART = re.compile(r"from api\.(?:worker|clock|cli\.serving) import (clock|uploads|web)")
# How much more than in the second third of the time the last may hold: share, and units.
_CONNECTIONS = "SELECT sum(numbackends) FROM pg_stat_database"
_LEVEL = {
    "memory_mb": (0.08, 24),
    "threads": (0.0, 6),
    "descriptors": (0.05, 12),
    "connections": (0.1, 6),
    "files": (0.02, 12),
}
# Debian's libfaketime 0.9.10 takes a deadline by the monotonic clock for one by the calendar:
# a sleep of Python's ends with EINVAL once the clock has been set.
_SLEEP = "import select, time; time.sleep = lambda s: select.select([], [], [], s) and None\n"
_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


def faketime() -> str:
    """Path of Debian's libfaketime for programs with threads; "" where it is not installed."""
    return next((path for path in _LIBRARIES if Path(path).exists()), "")


def _environment(clock: Path) -> dict[str, str]:
    """A clock that a file sets; what measures durations goes on as it does on a real machine."""
    return {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(clock.parent),
    }


class Watch:
    """What the processes of a house hold, sampled; and when its database was away."""

    def __init__(self, home: Path, cluster: Cluster, database: Database) -> None:
        self._home, self._cluster, self._database = home, cluster, database
        self.samples: list[Row] = []
        self.away: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._sample_on, self._probe_on)
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def processes(self) -> list[tuple[str, int]]:
        """Part and number of each process; what a part has forked is ``forked``."""
        found: list[tuple[str, int, int]] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                named = _PART.search(path.read_bytes().replace(b"\0", b" ").decode())
                environment = (path.parent / "environ").read_bytes()
                parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if named and str(self._home).encode() in environment:
                found.append((named[1], int(path.parent.name), int(parent)))
        webs = {number for name, number, _ in found if name == "web"}
        return [("forked" if parent in webs else name, pid) for name, pid, parent in found]

    def was_away(self, answer: Answer) -> bool:
        """Whether the database was away while a request was answered."""
        ends_s = answer.at_s + answer.took_s
        return any(
            answer.at_s <= ended + _AFTER_S and ends_s >= began - _BEFORE_S
            for began, ended in self.away
        )

    def _sample_on(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            total: Counter[str] = Counter()
            for _, pid in self.processes():
                try:
                    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
                    total["threads"] += len(list(Path(f"/proc/{pid}/task").iterdir()))
                    total["descriptors"] += len(list(Path(f"/proc/{pid}/fd").iterdir()))
                except OSError:
                    continue
                kilobytes = re.findall(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)
                total["memory_mb"] += int(kilobytes[0]) // 1024
            total["files"] = sum(
                len(files)
                for folder, _, files in os.walk(self._home)
                if str(self._cluster.data_dir) not in folder
            )
            try:
                with psycopg.connect(self._database.conninfo) as connection:
                    counted = connection.execute(_CONNECTIONS).fetchone()
                total["connections"] = int(counted[0]) if counted else 0
            except psycopg.Error:
                continue
            self.samples.append({"at_s": time.monotonic(), **total})

    def _probe_on(self) -> None:
        began = 0.0
        while not self._over.wait(_PROBE_S):
            try:
                psycopg.connect(self._database.conninfo).close()
            except psycopg.Error:
                began = began or time.monotonic()
                continue
            if began:
                self.away.append((began, time.monotonic()))
                began = 0.0


class Trouble:
    """Kills, clocks that are set, and new plans."""

    def __init__(self, watch: Watch, cluster: Cluster, database: Database, clock: Path) -> None:
        self._watch, self._cluster, self._database = watch, cluster, database
        self._clock, self._dice = clock, random.Random(1)  # noqa: S311 - a proof's dice
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self.is_on_time = True

    def kill(self, part: str) -> None:
        """Kill one process of a part without a word."""
        if part == "PostgreSQL":
            numbers = [number for number in (postmaster_of(self._cluster.data_dir),) if number]
        else:
            numbers = [number for name, number in self._watch.processes() if name == part]
        if not numbers:
            self.faults.append(f"there is no process of {part} to kill")
            return
        os.kill(self._dice.choice(numbers), signal.SIGKILL)
        self.done[f"killed {part}"] += 1

    def set_clock(self, offset: str) -> None:
        """Set the clock of all processes."""
        self._clock.write_text(offset)
        self.is_on_time = offset == _ON_TIME
        self.done[f"clock {offset}"] += 1

    def publish(self) -> None:
        """Draw the grids anew and publish them; where the database goes meanwhile, once more."""
        deadline = time.monotonic() + _HEALED_S
        seed = self.done["published"] + 1
        while self.done["published"] < seed:
            try:
                with self._database.session() as session:
                    draft = draw_draft(session, DEMO_COUNTY, seed=seed, author="s")
                    publish(session, DEMO_COUNTY, draft)
                self.done["published"] += 1
            except Exception as error:  # noqa: BLE001 - told with the faults
                if not is_away(error) or time.monotonic() > deadline:
                    self.faults.append(f"publishing: {error!r}"[:300])
                    return
                time.sleep(2)

    def all_kinds(self, pause_s: float) -> Iterator[str]:
        """Each kind of trouble twice, with a pause after each."""
        for _ in range(2):
            for part in _PARTS:
                self.kill(part)
                time.sleep(pause_s)
                yield part
            for offset in _DAYS:
                self.set_clock(offset)
                time.sleep(pause_s)
                yield offset


def run(seconds: float, pause_s: float, publish_s: float) -> Row:
    """Let a town live for so long; what came of it."""
    with _clock() as clock, house(_environment(clock), "--workers", "2") as (home, base, _):
        cluster = Cluster(home)
        database = Database.at(cluster.url)
        with Watch(home, cluster, database) as watch, Town(base, database, DEMO_COUNTY) as town:
            trouble = Trouble(watch, cluster, database, clock)
            begun = published = time.monotonic()
            kinds = trouble.all_kinds(pause_s)
            while (now := time.monotonic()) < begun + seconds:
                # No plan is published before the one that holds, nor for a day that has not come.
                if now > published + publish_s and trouble.is_on_time:
                    published = now
                    trouble.publish()
                if next(kinds, None) is None:
                    time.sleep(1.0)
            for _ in kinds:  # on a busy machine: all kinds are shown
                pass
            healed = _healed(base, town)
        log = (home / "up.log").read_text(errors="replace")
        row = _judged(watch, town, trouble, begun, time.monotonic())
        database.engine.dispose()
    return row | {
        "seconds": seconds,
        "healed": healed,
        "log": {"lines": len(log.splitlines()), "tracebacks": log.count("Traceback")},
    }


@contextmanager
def _clock() -> Iterator[Path]:
    """A file that says how far the clock is off."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "sitecustomize.py").write_text(_SLEEP)
        clock = Path(folder) / "clock"
        clock.write_text(_ON_TIME)
        clock.chmod(0o644)
        yield clock


def _healed(base: str, town: Town) -> Row:
    """What the house says of itself once nothing disturbs it; the feed must hear of a case."""
    deadline, heard = time.monotonic() + _HEALED_S, len(town.heard)
    parts: Row = {}
    while time.monotonic() < deadline:
        parts = _parts(base)
        if parts and all(part["is_ready"] for part in parts.values()) and len(town.heard) > heard:
            break
        time.sleep(1.0)
    ill = {name: part["said"] for name, part in parts.items() if not part["is_ready"]}
    return {"ill": ill, "asked": bool(parts), "feed_heard": len(town.heard) > heard}


def _parts(base: str) -> Row:
    try:
        with urlopen(f"{base}/readyz", timeout=10) as answer:  # noqa: S310 - our own server
            told: Row = json.load(answer)["parts"]
    except HTTPError as error:
        told = json.load(error)["parts"]
    except (OSError, ValueError):
        return {}
    return told


def _judged(watch: Watch, town: Town, trouble: Trouble, begun_s: float, ended_s: float) -> Row:
    faults = [
        answer
        for answer in town.answers
        if answer.status >= 500 and (answer.is_public or not watch.was_away(answer))
    ]
    third_s = (ended_s - begun_s) / 3
    parts: list[list[Row]] = [[], [], []]
    for sample in watch.samples:
        parts[min(int((sample["at_s"] - begun_s) / third_s), 2)].append(sample)
    level = {
        name: [round(statistics.median(row[name] for row in part), 1) for part in parts if part]
        for name in _LEVEL
    }
    took = sorted(answer.took_s for answer in town.answers if answer.status)
    return {
        "answers": len(town.answers),
        "statuses": dict(sorted(Counter(answer.status for answer in town.answers).items())),
        "p99_ms": round(1000 * took[int(len(took) * 0.99)], 1) if took else None,
        "wrong_5xx": dict(Counter(f"{one.kind} {one.status}" for one in faults)),
        "said_5xx": [
            f"{one.at_s - begun_s:.1f} s, took {one.took_s:.1f} s: {one.kind}: {one.said}"
            for one in faults[:5]
        ],
        "away": [[round(at - begun_s, 1) for at in away] for away in watch.away[:20]],
        "steps_heard": len(town.heard),
        "away_s": round(sum(ended - began for began, ended in watch.away), 1),
        "trouble": dict(trouble.done),
        "faults": (trouble.faults + town.faults)[:10],
        "medians_by_third": level,
    }


def missed(row: Row, *, small: bool) -> list[str]:
    """Bars that were missed."""
    healed, level = row["healed"], row["medians_by_third"]
    bars = [f"{count} of {kind}" for kind, count in row["wrong_5xx"].items()]
    bars += row["faults"]
    bars += [f"{name} is not well: {said}" for name, said in healed["ill"].items()]
    bars += [] if healed["asked"] else ["nobody answers at the end"]
    bars += [] if healed["feed_heard"] else ["the feed hears nothing at the end"]
    if not small:
        for name, (share, units) in _LEVEL.items():
            second, last = level[name][-2:]
            if last > second * (1 + share) + units:
                bars.append(f"{name} went from {second} to {last}")
    return bars


def main() -> int:
    """Run, print, and say with the exit code whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not faketime():
        raise SystemExit("libfaketime is not here: install Debian's package faketime")
    row = run(_SMALL_S, 3.0, 20.0) if asked.small else run(_WHOLE_S, 90.0, 300.0)
    row["missed"] = missed(row, small=asked.small)
    if asked.json:
        print(json.dumps(row, ensure_ascii=False, indent=1))
    else:
        for name, value in row.items():
            print(f"{name}: {value}")
    return 1 if row["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
