"""Work that a process asks its parent for: done by another, told how it ended, given up."""

import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT

PROGRAM = """
import os, sys, time
from pathlib import Path
from data.errands import ErrandError, Errands
from data.errors import StateError
from data.log_setup import begin_log

begin_log("web")
folder = Path(sys.argv[1])

def write(text):
    (folder / "written").write_text(f"{text} {os.getpid()}")

def fail(_):
    raise StateError("there is no plan")

def slip(_):
    raise ValueError("Zhang San, 13912345678")

def die(_):
    os.kill(os.getpid(), 9)

def hang(_):
    (folder / "hanging").write_text(str(os.getpid()))
    time.sleep(600)

errands = Errands({"write": write, "fail": fail, "slip": slip, "die": die, "hang": hang})
asking = os.fork()
if not asking:
    for name in sys.argv[2:]:
        try:
            errands.run(name, "what was sent", (folder / "hanging").exists)
            print(f"{name}: done", flush=True)
        except ErrandError as error:
            print(f"{name}: {error}", flush=True)
    os._exit(0)
while not os.waitpid(asking, os.WNOHANG)[0]:
    errands.look(lambda: None)
    time.sleep(0.05)
errands.end()
print(f"asked by {asking}")
"""


def told(folder: Path, *works: str) -> tuple[list[str], str]:
    """What the program prints, and its log."""
    command = [sys.executable, "-c", PROGRAM, str(folder), *works]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines(), done.stderr


def test_work_is_done_by_another_process_and_its_end_is_told(tmp_path: Path) -> None:
    lines, log = told(tmp_path, "write", "fail", "die", "slip", "unknown", "write")
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        *("write", "fail", "die", "slip", "unknown", "write")
    ]
    said = [line.partition(": ")[2] for line in lines[:-1]]
    assert said[:3] == ["done", "there is no plan", "its process was ended"]
    assert said[3].startswith("ValueError")
    assert said[4].startswith("KeyError")
    assert said[5] == "done"
    text, _, pid = (tmp_path / "written").read_text().rpartition(" ")
    assert (text, pid != lines[-1].rpartition(" ")[2]) == ("what was sent", True)
    assert "Zhang San" not in log + "".join(lines)


def test_work_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    lines, _ = told(tmp_path, "hang")
    assert lines[0] == "hang: its process was ended"
    deadline = time.monotonic() + 10
    while Path(f"/proc/{(tmp_path / 'hanging').read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
