"""Processes of the web server on one socket: they outlive each other, and end with their parent."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each connection is told the process's number; one that is asked to be still says no more.
PROGRAM = """
import os, socket, sys, time
from pathlib import Path
from api import forking
from data.log_setup import begin_log

forking._SILENT_S, forking._STARTING_S, forking._DYING_S, forking._FROZEN_S = 2.0, 3.0, 1.0, 1.5
begin_log("web")
hang, refuse = (Path(sys.argv[1]) / name for name in ("hang", "refuse"))
fork = os.fork

def forked():
    if refuse.exists():
        refuse.unlink()
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = forked

def serve(listening, beat):
    if hang.exists():
        hang.unlink()
        time.sleep(600)
    while True:
        beat()
        listening.settimeout(0.2)
        try:
            asked = listening.accept()[0]
        except TimeoutError:
            continue
        with asked:
            asked.sendall(b"%d\\n" % os.getpid())
            asked.settimeout(5)
            if asked.recv(10).startswith(b"still"):
                time.sleep(600)

with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    forking.serve_forked(2, listening, serve, ends=[sys.stdin.fileno()])
"""


class Family:
    """A program that serves with two processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        with self.log.open("wb") as log:
            self.parent = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(folder)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.parent.stdout is not None
        self.port = int(self.parent.stdout.readline())
        _until(lambda: len(self.children()) == 2)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()] if tasks.exists() else []

    def has_another_than(self, ended: int) -> bool:
        return len({*self.children()} - {ended}) == 2

    def ask(self, word: bytes = b"thanks") -> int:
        """Which process answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as asked:
            told = asked.makefile("rb").readline()
            asked.sendall(word)
        return int(told)

    def said(self) -> str:
        return self.log.read_text("utf-8")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path)
    with family.parent:
        yield family
        for pid in (*family.children(), family.parent.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_killed_process_is_started_again_and_its_reason_told(family: Family) -> None:
    for _ in range(2):
        first, second = family.children()
        os.kill(first, signal.SIGKILL)
        _until(partial(family.has_another_than, first))
        assert second in family.children()
        assert family.ask() in family.children()
    assert len(re.findall(r"signal SIGKILL\): it is started again in [\d.]+ s", family.said())) == 2


def test_a_silent_process_says_where_it_is_and_makes_room(family: Family) -> None:
    still = family.ask(b"still")
    _until(partial(family.has_another_than, still))
    assert "silent for" in family.said()
    assert "signal SIGABRT" in family.said()


def test_a_process_that_hangs_before_it_answers_makes_room(family: Family) -> None:
    hang = family.folder / "hang"
    hang.touch()
    first, second = family.children()
    os.kill(first, signal.SIGKILL)
    _until(lambda: not hang.exists())
    (hung,) = {*family.children()} - {second}
    _until(partial(family.has_another_than, hung))
    assert "silent for 3 s" in family.said()


def test_processes_that_were_frozen_with_their_parent_go_on(family: Family) -> None:
    children = family.children()
    _until(lambda: family.ask() in children)
    for pid in (family.parent.pid, *children):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in (family.parent.pid, *children):
        os.kill(pid, signal.SIGCONT)
    time.sleep(1.5)
    assert family.children() == children
    assert "silent" not in family.said()


def test_a_process_that_cannot_be_forked_is_forked_later(family: Family) -> None:
    first, second = family.children()
    (family.folder / "refuse").touch()
    os.kill(first, signal.SIGKILL)
    _until(partial(family.has_another_than, first))
    assert second in family.children()
    assert "does not start (Resource temporarily unavailable): it is started" in family.said()


def test_all_end_when_the_parent_is_told_to(family: Family) -> None:
    children = family.children()
    family.parent.send_signal(signal.SIGTERM)
    assert family.parent.wait(timeout=30) == 0
    assert not any(map(_is_alive, children))


def test_all_end_when_what_started_the_parent_is_gone(family: Family) -> None:
    children = family.children()
    assert family.parent.stdin is not None
    family.parent.stdin.close()
    assert family.parent.wait(timeout=30) == 0
    assert not any(map(_is_alive, children))


def test_processes_end_with_a_killed_parent(family: Family) -> None:
    children = family.children()
    family.parent.kill()
    _until(lambda: not any(map(_is_alive, children)))


def test_a_process_with_threads_is_not_forked() -> None:
    program = (
        "import threading, time\n"
        "from api.forking import serve_forked\n"
        "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "serve_forked(1, None, None)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "a process with threads is not forked" in ended.stderr
