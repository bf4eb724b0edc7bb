"""An outage of the database, as the log of all parts tells it: once, and once when it is over."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from data.cluster import Cluster
from data.postmaster import postmaster_of
from tests.conftest import ROOT, free_port

AWAY_S = 20.0
ENDS = ("is told to end", "has stopped")
PARTS = {
    "web": ("serve",),
    "clock": ("worker", "--part", "clock"),
    "uploads": ("worker", "--part", "uploads"),
}


class House:
    """All parts beside a cluster that can be stopped alone."""

    def __init__(self, home: Path, beside: Path) -> None:
        self.home, self.port = home, free_port()
        self.cluster = Cluster(beside, durable=False)
        self.cluster.ensure_running()
        self.programs: dict[str, subprocess.Popen] = {}
        self.log = home / "log"

    def start(self, name: str) -> None:
        environment = os.environ | {
            "ONEGRID_HOME": str(self.home),
            "ONEGRID_DATABASE_URL": self.cluster.serving_url,
            "ONEGRID_OWNER_URL": self.cluster.url,
            "ONEGRID_PORT": str(self.port),
            "ONEGRID_LOG_FILE": str(self.log),
            "ONEGRID_LOG_FORMAT": "json",
            "ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8",
            "ONEGRID_METRICS": "local",
        }
        code = "from api.cli import main; main()"
        with (self.home / f"{name}.err").open("ab") as words:
            self.programs[name] = subprocess.Popen(
                [sys.executable, "-c", code, *PARTS[name]],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
            )

    def lines(self) -> list[dict]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def wait(self, count: int, *sentences: str) -> None:
        deadline = time.monotonic() + 120
        while sum(one["event"] in sentences for one in self.lines()) < count:
            assert time.monotonic() < deadline, self.lines()
            assert all(one.poll() is None for one in self.programs.values()), self.said()
            time.sleep(0.2)

    def said(self) -> str:
        return "".join(path.read_text("utf-8") for path in self.home.glob("*.err"))

    def ask(self, path: str) -> int:
        with suppress(OSError):
            try:
                with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                    return answer.status
            except HTTPError as error:
                return error.code
        return 0

    def stop(self) -> None:
        for one in self.programs.values():
            one.send_signal(signal.SIGINT)
        for one in self.programs.values():
            one.communicate(timeout=60)


@pytest.fixture
def house() -> Iterator[House]:
    home, beside = (Path(tempfile.mkdtemp(prefix="onegrid-outage-")) for _ in range(2))
    beside.chmod(0o755)
    made = House(home, beside)
    yield made
    for program in made.programs.values():
        program.kill()
        program.communicate()
    made.cluster.destroy()
    for folder in (home, beside):
        shutil.rmtree(folder, ignore_errors=True)


def test_an_outage_says_itself_once_and_when_it_is_over(house: House) -> None:
    """One of 35 s was 1,500 lines and 34 tracebacks."""
    house.start("web")
    house.wait(1, "the web server is up")
    for name in ("clock", "uploads"):
        house.start(name)
    house.wait(3, "the web server is up", "the clock is up", "the worker of files is up")
    time.sleep(5)
    quiet = len(house.lines())
    house.cluster.stop()
    ends = time.monotonic() + AWAY_S
    asked: Counter[int] = Counter()
    while time.monotonic() < ends:
        asked[house.ask("/api/v1/who?lon=122.3&lat=43.5")] += 1
        asked[house.ask("/livez")] += 1
        asked[house.ask("/healthz")] += 1
        time.sleep(0.1)
    house.cluster.ensure_running()
    house.wait(3, "the database answers again")
    time.sleep(16)
    told = house.lines()[quiet:]
    events = Counter((one["part"], one["event"]) for one in told)
    assert len(told) <= 12, told
    assert "Traceback" not in house.said()
    assert not [one for one in told if "logger" in one], "libraries' own words of it"
    for part in PARTS:
        assert events[part, "the database does not answer"] == 1, told
        assert events[part, "the database answers again"] == 1, told
    assert not [one for one in told if one["event"].startswith("the queue")]
    over = [one for one in told if one["event"] == "the database answers again"]
    assert all(one["attempts"] > 1 and one["lasted_s"] > 10 for one in over)
    assert asked[200] > 10
    assert asked[503] > 0
    begun = len(house.lines())
    house.stop()
    stopped = {(one["part"], one["event"]) for one in house.lines()[begun:]}
    assert stopped >= {
        *(("web", f"the web server {how}") for how in ENDS),
        *(("clock", f"the clock {how}") for how in ENDS),
        *(("uploads", f"the worker of files {how}") for how in ENDS),
    }
    house.programs.clear()
    before = len(house.lines())
    house.start("uploads")
    house.wait(2, "the worker of files is up")
    time.sleep(3)
    house.stop()
    assert len(house.lines()) - before <= 3, house.lines()[before:]


def test_a_database_that_hangs_is_told_of_by_those_who_only_wait_for_it(house: House) -> None:
    """The clock and the worker of files said nothing in a minute of it."""
    house.start("web")
    house.wait(1, "the web server is up")
    for name in ("clock", "uploads"):
        house.start(name)
    house.wait(3, "the web server is up", "the clock is up", "the worker of files is up")
    up = [one for one in house.lines() if one["event"].endswith(" is up")]
    assert [(one["process_number"], one["pid"] > 0) for one in up] == [(1, True)] * 3
    time.sleep(5)
    quiet = len(house.lines())
    server = postmaster_of(house.cluster.data_dir)
    assert server is not None
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    hanging = [server, *map(int, children)]
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(25)
    finally:
        for pid in hanging:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    house.wait(3, "the database answers again")
    time.sleep(8)
    told = house.lines()[quiet:]
    events = Counter((one["part"], one["event"]) for one in told)
    for part in ("clock", "uploads"):
        assert events[part, "the database does not answer"] == 1, told
        assert events[part, "the database answers again"] == 1, told
    assert not [one for one in told if "logger" in one], told
