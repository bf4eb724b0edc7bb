"""``onegrid up`` from nothing: the whole house starts, stops, and outlives a kill."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from data.cluster import Cluster
from data.postmaster import postmaster_of
from tests.conftest import ROOT, free_port

PORT = free_port()
# How the command line of a part looks.
_IS_PART = re.compile(r"from api\.(worker|clock|cli\.serving) import (clock|uploads|web)")
# As a script starts a program beside itself: with Ctrl-C ignored.
_BESIDE = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


class House:
    """A state folder of its own, and ``onegrid up`` on it."""

    def __init__(self, home: Path) -> None:
        self.home, self.cluster = home, Cluster(home)
        self.log = home / "up.log"
        self.programs: list[subprocess.Popen[bytes]] = []

    def up(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            program = subprocess.Popen(
                [*_BESIDE, sys.executable, "-c", "from api.cli import main; main()", "up"],
                cwd=ROOT,
                env=os.environ | {"ONEGRID_HOME": str(self.home), "ONEGRID_PORT": str(PORT)},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self.programs.append(program)
        deadline = time.monotonic() + 120
        while wait and "Ctrl-C" not in self.said() and time.monotonic() < deadline:
            assert program.poll() is None, self.said()
            time.sleep(0.1)
        return program

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from api.cli import main; main()", *words],
            cwd=ROOT,
            env=os.environ | {"ONEGRID_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def parts(self) -> dict[str, int]:
        """Numbers of the processes of the parts that still run; the web server has two."""
        found: dict[str, int] = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode()
                environment = (path.parent / "environ").read_bytes()
                stat = (path.parent / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            part = _IS_PART.search(line)
            if part and str(self.home).encode() in environment:
                is_kept = int(stat[1]) == self.programs[-1].pid
                name = "forked" if part[2] == "web" and not is_kept else part[2]
                found[name] = int(path.parent.name)
        return found

    def part(self, name: str) -> int:
        """Number of the process of a part; 0 where it does not run."""
        return self.parts().get(name, 0)

    def wait_for_parts(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while len(self.parts()) != count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(self.parts()) == count, self.parts()


@pytest.fixture
def house() -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-house-"))
    home.chmod(0o755)
    made = House(home)
    yield made
    for program in made.programs:
        program.kill()  # its parts end with it
        program.wait()
    made.cluster.destroy()
    shutil.rmtree(home, ignore_errors=True)


def test_the_house_starts_from_nothing_and_ctrl_c_stops_all_of_it(house: House) -> None:
    program = house.up()
    addresses = re.findall(r"http://[\d.:]+/\w+", house.said())
    assert [address.rsplit("/")[-1] for address in addresses] == ["planner", "dispatch", "card"]
    for address in addresses:
        with urlopen(address, timeout=10) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
    assert "onegrid-demo" in house.said()
    assert "(a minute or two)" in house.said(), "how long a first start takes"
    assert "half a minute until they answer" in house.said()
    assert within(lambda: "ready: everything is loaded" in house.said())
    for path in (house.home / "cluster-log").glob("*.log"):
        assert "no privileges were granted" not in path.read_text("utf-8")
    second = house.up(wait=False)
    assert second.wait(timeout=30) == 1
    assert "is taken" in house.said()
    kept = house.command("db", "stop")
    assert (kept.returncode, house.cluster.is_running()) == (1, True)
    assert f"onegrid up (process {program.pid}) keeps this cluster running" in kept.stderr
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0
    house.wait_for_parts(0)
    for part in ("house", "web server", "clock", "worker of files"):
        for sentence in ("is told to end", "has stopped"):
            assert len(re.findall(rf"the {part} {sentence} pid=\d+", house.said())) == 1, part
    assert not house.cluster.is_running()
    assert "Fatal" not in house.said()
    assert "Traceback" not in house.said()


def test_a_killed_house_leaves_nothing_in_the_way_of_the_next(house: House) -> None:
    program = house.up()
    program.kill()
    program.wait()
    house.wait_for_parts(0)
    again = house.up()
    assert "the demonstration city stands" not in house.said(), "it stands already"
    again.send_signal(signal.SIGTERM)
    assert again.wait(timeout=60) == 0
    house.wait_for_parts(0)


def test_whatever_ends_is_started_again_twice(house: House) -> None:
    """``kill -9`` of the worker took web server and PostGIS down; of PostGIS, nobody saw it."""
    program = house.up()
    house.wait_for_parts(4)
    parts = {name: partial(house.part, name) for name in ("clock", "uploads", "forked", "web")}
    parts["PostgreSQL"] = lambda: postmaster_of(house.cluster.data_dir) or 0
    for number_of in parts.values():
        for _ in range(2):
            killed = number_of()
            os.kill(killed, signal.SIGKILL)
            assert within(lambda was=killed, now=number_of: now() not in {0, was}), house.said()
            assert program.poll() is None
            assert within(lambda: answers("/card")), house.said()
    assert house.said().count("it is started again") == 10
    assert within(house.cluster.is_running)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0
    house.wait_for_parts(0)
    assert not house.cluster.is_running()


def test_what_keeps_the_house_is_small(house: House) -> None:
    program = house.up()
    said = Path(f"/proc/{program.pid}/smaps_rollup").read_text()
    assert int(re.search(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)[1]) < 60_000
    assert "api.house" in Path(f"/proc/{program.pid}/cmdline").read_text()


def answers(path: str) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=5).close()
    except OSError:
        return False
    return True


def within(check: Callable[[], bool], seconds: float = 90.0) -> bool:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True
