"""Engines whose wheels need Python 3.12 as peers: an environment and a process of their own.

The environment is made once, in the system's temporary folder. A worker answers over a pipe and
times itself, so that the pipe is in no figure.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

__all__ = ["HOME", "PeerAbsentError", "PeerWorker", "environment", "package_of", "run_tool"]

HOME = Path(gettempdir()) / "onegrid-bench" / "peers"
_LOOP = r"""
print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = run(json.loads(line))
    except Exception as error:
        answer = (None, repr(error))
    print(json.dumps(answer), flush=True)
"""


class PeerAbsentError(Exception):
    """A peer cannot run here, and why."""


class PeerWorker:
    """A process that answers tasks with the seconds that each took.

    Parameters
    ----------
    name : str
    script : str
        Python that defines ``run(task)``, returning seconds and an answer.
    argument : Path
        What the script finds as its first argument.

    Raises
    ------
    PeerAbsentError
        If the process does not start.
    """

    def __init__(self, name: str, script: str, argument: Path) -> None:
        file = HOME / f"{name}.py"
        file.write_text(script + _LOOP, encoding="utf-8")
        self._process = subprocess.Popen(
            [environment(), file, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise PeerAbsentError(f"{name} has no pipes")
        self._input, self._output = self._process.stdin, self._process.stdout
        if self._output.readline().strip() != "ready":
            raise PeerAbsentError(f"{name} did not start")

    def ask(self, kind: str, **task: Any) -> tuple[float | None, Any]:
        """Seconds that a task took in the worker (None where it failed), and its answer."""
        self._input.write(json.dumps({"kind": kind} | task) + "\n")
        self._input.flush()
        took, answer = json.loads(self._output.readline())
        return took, answer

    def close(self) -> None:
        """End the worker."""
        self._process.terminate()
        self._process.wait()


def package_of(name: str) -> Path:
    """Folder of a package in the peers' environment; its tools lie in it."""
    where = [environment(), "-c", f"import {name}; print({name}.__file__)"]
    return Path(subprocess.check_output(where, text=True).strip()).parent


def run_tool(command: Sequence[Any]) -> None:
    """Run a program to its end.

    Raises
    ------
    PeerAbsentError
        If it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerAbsentError((done.stderr or done.stdout).strip()[-300:])


def environment() -> str:
    """The interpreter of an environment with the peers."""
    python = HOME / "env" / "bin" / "python"
    if _runs([python, "-c", "import osrm, scipy, valhalla"]):
        return str(python)
    base = next((one for one in _candidates() if _runs([one, "--version"])), None)
    if base is None:
        raise PeerAbsentError("no Python 3.12 for osrm-bindings and pyvalhalla")
    HOME.mkdir(parents=True, exist_ok=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in (
        [base, "-m", "venv", "--clear", HOME / "env"],
        [*install, "osrm-bindings", "pyvalhalla", "scipy"],
    ):
        run_tool(command)
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
