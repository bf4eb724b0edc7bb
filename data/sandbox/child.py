"""The converter's process: it loads its task, gives up its rights, and only then reads.

Its first line of standard input is a JSON object (`task`, `options`, `limits`, `user`, `folder`);
what follows is the task's. Standard output is the task's; a refusal is one line of JSON on
standard error and exit status `REFUSED`.
"""

import ctypes
import importlib
import json
import os
import sys
import sysconfig
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import gis
from data.sandbox.confine import Confined, confine, leave_network, set_bounds
from gis.errors import OneGridError

__all__ = ["FAILED", "FULL", "REFUSED", "UNCONFINED", "Task", "main"]

REFUSED, FULL, UNCONFINED, FAILED = 3, 4, 5, 6
_TASKS = {
    "photo": "data.conversions.photo",
    "paper": "data.conversions.paper",
    "table": "data.conversions.table",
    "chunks": "data.conversions.chunks",
    "nothing": "data.conversions.nothing",
}
_REASON_LIMIT = 1000
_FRAMES = 6
# glibc: few arenas, so that the bound of memory is not spent on reservations; what was large is
# given back when it is freed (by itself glibc learns to keep up to 32 MiB of it).
_ALLOCATOR = {"M_ARENA_MAX": (-8, 2), "M_MMAP_THRESHOLD": (-3, 1 << 18), "M_TRIM": (-1, 1 << 20)}
# Libraries load these where they find them, for what no task does: a sixth of a task's memory.
_ABSENT = frozenset({"pandas", "geopandas"})


class Task(Protocol):
    """A module that converts."""

    def prepare(self) -> None:
        """Load all that is needed later: libraries cannot be found any more then."""

    def run(self, options: dict[str, Any], source: BinaryIO, target: BinaryIO) -> None:
        """Convert, within the confinement."""


class _Absent:
    """What is not found, as if it were not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse the modules that no task uses."""
        if name in _ABSENT:
            raise ModuleNotFoundError(f"no task uses {name}", name=name)


def main() -> None:
    """Run one task and end."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    order = json.loads(source.readline(65536))
    for setting in _ALLOCATOR.values():
        ctypes.CDLL(None).mallopt(*setting)
    sys.meta_path.insert(0, _Absent())
    # What a driver or a font cache would write belongs to this folder, and goes with it.
    folder, user = Path(order["folder"]), order["user"]
    os.environ |= {"HOME": str(folder), "TMPDIR": str(folder), **order["environment"]}
    namespace = leave_network()
    task = cast("Task", importlib.import_module(_TASKS[order["task"]]))
    task.prepare()
    os.chdir(folder)
    set_bounds(**order["limits"])
    calls, files = confine(folder, [*_readable(), *order["readable"]], user)
    if not (namespace or calls):
        _refuse(UNCONFINED, "")
    options = order["options"]
    if order["task"] == "nothing":
        options = asdict(Confined(user is not None, namespace, calls, files))
    try:
        task.run(options, source, target)
        target.flush()
    except OneGridError as error:
        _refuse(REFUSED, str(error), type(error).__name__)
    except MemoryError:
        _refuse(FULL, "")
    except Exception as error:  # noqa: BLE001 - a library's own, of a file that is none
        _refuse(FAILED, _place_of(error))


def _readable() -> list[str]:
    """Where this interpreter's code lies, and the floors that the tasks come from."""
    floors = (Path(__file__).parents[1], Path(gis.__file__).parent)
    return [*map(str, floors), sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]


def _place_of(error: Exception) -> str:
    """What failed, and where in the code; what it says may quote what stands in the file."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__} at {' '.join(calls[-_FRAMES:])}"


def _refuse(status: int, reason: str, kind: str = "") -> None:
    print(json.dumps({"reason": reason[:_REASON_LIMIT], "kind": kind}), file=sys.stderr, flush=True)  # noqa: T201
    os._exit(status)
