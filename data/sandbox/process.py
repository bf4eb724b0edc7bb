"""Starting a converter's process, feeding it, and ending it when it takes too much."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from data.errors import SourceError
from data.log import LOG
from data.sandbox.child import FAILED, FULL, REFUSED, UNCONFINED
from data.sandbox.confine import Confined
from gis.errors import CrsError, OneGridError

__all__ = [
    "OWN_TABLE",
    "PAPER",
    "PHOTO",
    "PLAN",
    "TABLE",
    "Conversation",
    "ConversionError",
    "Limits",
    "conversing",
    "convert",
    "protection",
    "remove_left_folders",
    "work_folder",
]

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from data.sandbox.child import main; main()"
)
_ROOT = str(Path(__file__).parents[2])
_PREFIX = "onegrid-work-"
# Nobody's numbers: what systemd gives to services that need a user for a while.
_FIRST_USER, _USERS = 61184, 4000
# No conversion takes as long: a folder that is older was left by a program that was killed.
_LEFT_S = 2400.0
_MIB = 2**20
_REASON_BYTES = 65536
# What failed, and a few places in the code.
_PLACE = re.compile(r"\b\w{1,60} at [\w.: ]{1,300}")


class ConversionError(SourceError):
    """A file that took more than it may, or that ended the process which read it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a conversion may take.

    Attributes
    ----------
    wall_s, cpu_s : float
        Time in all, and of computing.
    memory_bytes : int
        Memory that it may write to.
    output_bytes : int
        What it may answer.
    file_bytes : int
        Size of a file in its own folder.
    frame_bytes, frame_cells : int
        What a frame of its answer may hold when it is read: bytes, and rows times columns.
    output_cells : int
        Rows times columns in all.
    """

    wall_s: float
    cpu_s: int
    memory_bytes: int
    output_bytes: int
    file_bytes: int = 0
    open_files: int = 64
    frame_bytes: int = 64 * 2**20
    frame_cells: int = 10_000_000
    output_cells: int = 2**60


PHOTO = Limits(wall_s=20, cpu_s=10, memory_bytes=512 * _MIB, output_bytes=8 * _MIB)
PAPER = Limits(wall_s=120, cpu_s=90, memory_bytes=512 * _MIB, output_bytes=200 * _MIB)
# Three read at once (`api.worker`): together less than a gigabyte. A workbook of two million cells
# takes it all, a million rows of Parquet two thirds.
TABLE = Limits(
    wall_s=1800,
    cpu_s=120,
    memory_bytes=320 * _MIB,
    output_bytes=1024 * _MIB,
    file_bytes=1024 * _MIB,
    frame_bytes=96 * _MIB,
)
# A file that somebody waits for while it is read; all of it is held at once, as objects.
PLAN = Limits(
    wall_s=60,
    cpu_s=20,
    memory_bytes=320 * _MIB,
    output_bytes=256 * _MIB,
    file_bytes=1024 * _MIB,
    frame_bytes=64 * _MIB,
    output_cells=1_000_000,
)
# A file that whoever runs the program names on the command line: of any size.
OWN_TABLE = Limits(
    wall_s=7 * 86400,
    cpu_s=7 * 86400,
    memory_bytes=4096 * _MIB,
    output_bytes=2**60,
    file_bytes=4096 * _MIB,
    frame_bytes=1024 * _MIB,
    frame_cells=2**31,
)


@cache
def protection() -> Confined:
    """What a converter's process gives up here; asked of one that has nothing else to do.

    Raises
    ------
    ConversionError
        If nothing keeps it from the network.
    """
    return Confined(**json.loads(convert("nothing", b"", limits=PHOTO)))


def convert(
    task: str,
    content: bytes,
    options: Mapping[str, Any] | None = None,
    *,
    limits: Limits,
) -> bytes:
    """Run a task on some bytes, and return what it makes of them.

    Raises
    ------
    SourceError, CrsError
        If the task refuses what it was given.
    ConversionError
        If it takes too much, or ends its process.
    """
    with _Child(task, options or {}, limits) as child:
        feeder = threading.Thread(target=child.feed, args=(content,), daemon=True)
        feeder.start()
        answer = child.read(limits.output_bytes + 1)
        if len(answer) > limits.output_bytes:
            raise ConversionError("what comes of it is too large")
        child.require_success()
        return answer


class Conversation:
    """Frames from and to a converter that reads a file piece by piece."""

    def __init__(self, child: "_Child", limits: Limits) -> None:
        self._child, self._left = child, 2 * limits.output_bytes
        self._frame = 2 * limits.frame_bytes

    def say(self, facts: Mapping[str, Any]) -> None:
        """Tell it something: one line of JSON."""
        self._child.feed(json.dumps(facts).encode() + b"\n", ends=False)

    def hear(self, *, most_bytes: int | None = None) -> bytes | None:
        """Its next frame; None at the end.

        Parameters
        ----------
        most_bytes : int, optional
            How long it may be; by default twice what it may hold: columns have names and gaps.

        Raises
        ------
        SourceError, ConversionError
            As `convert`.
        """
        head = self._child.read(8)
        if not head:
            self._child.require_success()
            return None
        size = int.from_bytes(head, "big")
        if len(head) < 8 or size > min(self._left, most_bytes or self._frame):
            raise ConversionError("what comes of it is too large")
        self._left -= size
        frame = self._child.read(size)
        if len(frame) < size:
            self._child.require_success()
            raise ConversionError("it ended in the middle of a row")
        return frame


@contextmanager
def conversing(
    task: str,
    source: Path,
    options: Mapping[str, Any],
    *,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    in_place: bool = False,
) -> Iterator[Conversation]:
    """Let a task read a file, of a Shapefile with its parts.

    Parameters
    ----------
    in_place : bool
        Whether it is read where it lies, by the program's own user, who was told to: else it is
        copied for a user that has nothing else.
    """
    process = _Child(task, options, limits, source, environment=environment, in_place=in_place)
    with process as child:
        yield Conversation(child, limits)


class _Child:
    """One process with its folder, both gone when the block ends."""

    def __init__(
        self,
        task: str,
        options: Mapping[str, Any],
        limits: Limits,
        source: Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        in_place: bool = False,
    ) -> None:
        self._in_place = in_place
        self._task, self._options, self._limits = task, options, limits
        self._environment, self._source = environment or {}, source

    def __enter__(self) -> Self:
        self._folder = work_folder()
        try:
            self._begin()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def _begin(self) -> None:
        user = None
        if os.geteuid() == 0 and not self._in_place:
            user = _FIRST_USER + int.from_bytes(os.urandom(2)) % _USERS
        options, readable = dict(self._options), []
        if self._source is not None and self._in_place:
            options["path"] = str(self._source.resolve())
            readable = [str(path.resolve()) for path in _parts(self._source)]
        elif self._source is not None:
            options["path"] = _bring(self._source, self._folder).name
        if user is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, user, user)
        order = {
            "task": self._task,
            "options": options,
            "user": user,
            "folder": str(self._folder),
            "readable": readable,
            "environment": dict(self._environment),
            "limits": {
                "cpu_s": self._limits.cpu_s,
                "memory_bytes": self._limits.memory_bytes,
                "file_bytes": self._limits.file_bytes,
                "open_files": self._limits.open_files,
            },
        }
        self._errors = bytearray()
        self._timed_out = False
        self._program = subprocess.Popen(
            # Isolated: neither the folder nor the environment says where modules come from.
            [sys.executable, "-I", "-X", "utf8", "-c", _PROGRAM, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_plain_environment(),
            start_new_session=True,
        )
        self._timer = threading.Timer(self._limits.wall_s, self._time_out)
        self._timer.daemon = True
        self._timer.start()
        self._listener = threading.Thread(target=self._collect_errors, daemon=True)
        self._listener.start()
        self.feed(json.dumps(order).encode() + b"\n", ends=False)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._kill()
        self._program.wait()
        self._listener.join()
        for pipe in (self._program.stdin, self._program.stdout, self._program.stderr):
            _close(pipe)
        shutil.rmtree(self._folder, ignore_errors=True)

    def feed(self, content: bytes, *, ends: bool = True) -> None:
        """Write to its standard input; one that has ended says elsewhere why."""
        pipe = self._program.stdin
        assert pipe is not None  # noqa: S101 - opened above
        try:
            pipe.write(content)
            pipe.flush()
            if ends:
                pipe.close()
        except (BrokenPipeError, ValueError):
            return

    def read(self, size: int) -> bytes:
        """So many bytes of its standard output, fewer at the end."""
        pipe = self._program.stdout
        assert pipe is not None  # noqa: S101 - opened above
        return pipe.read(size)

    def require_success(self) -> None:
        """Raise the reason for which it ended before its work was done."""
        status = self._program.wait()
        self._listener.join()
        if self._timed_out or status == -signal.SIGXCPU:
            raise ConversionError("it takes too much time to read: is it what its name says?")
        if status in {FULL, -signal.SIGXFSZ}:
            raise ConversionError("it takes too much memory to read: is it what its name says?")
        if status == UNCONFINED:
            raise ConversionError(
                "this machine can keep converters from the network neither by a namespace nor by "
                "seccomp: install libseccomp2, or allow user namespaces"
            )
        if status == REFUSED:
            raise _refusal(self._errors)
        if status == -signal.SIGKILL:
            raise ConversionError("it was ended while it was read: it takes too much")
        if status:
            # Of what a library says nothing is kept: it quotes the file.
            place = _place(self._errors) if status == FAILED else f"status {status}"
            LOG.warning("a converter fails", task=self._task, reason=place)
            raise ConversionError("it cannot be read: it is damaged, or not what its name says")

    def _time_out(self) -> None:
        self._timed_out = True
        self._kill()

    def _kill(self) -> None:
        if self._program.poll() is None:
            self._program.kill()

    def _collect_errors(self) -> None:
        pipe = self._program.stderr
        assert pipe is not None  # noqa: S101 - opened above
        while part := os.read(pipe.fileno(), 4096):
            if len(self._errors) < _REASON_BYTES:
                self._errors += part


def _plain_environment() -> dict[str, str]:
    """What a converter may know of the program's surroundings: neither addresses nor keys."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    # Threads would keep the rights that the process gives up, and read nothing faster.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    threads["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    return kept | threads | {"LC_ALL": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def _parts(source: Path) -> list[Path]:
    """The files that a source consists of."""
    if source.suffix.lower() != ".shp":
        # SQLite looks for what a writer has not finished.
        beside = (source.with_name(f"{source.name}{end}") for end in ("-wal", "-shm", "-journal"))
        return [source, *(path for path in beside if path.is_file())]
    return [path for path in source.parent.iterdir() if path.stem == source.stem and path.is_file()]


def _bring(source: Path, folder: Path) -> Path:
    """Copy a file into the folder, under a name that says no more than what it is."""
    together = _parts(source) if source.suffix.lower() == ".shp" else [source]
    for path in together:
        target = folder / f"source{_endings(path)}"
        shutil.copyfile(path, target)
        target.chmod(0o400)
    return folder / f"source{_endings(source)}"


def _endings(source: Path) -> str:
    endings = source.suffixes[-2:] if source.suffix.lower() == ".gz" else [source.suffix]
    return "".join(endings).lower()


def _refusal(errors: bytearray) -> OneGridError:
    """What the task said against its file."""
    line = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        said = json.loads(line)
        kind = CrsError if said["kind"] == "CrsError" else SourceError
        return kind(str(said["reason"]))
    except (ValueError, KeyError, TypeError):
        return ConversionError("it cannot be read")


def _place(errors: bytearray) -> str:
    """Where the task failed, if it says so as a task does."""
    said = _PLACE.search(errors.decode("utf-8", "replace"))
    return said[0] if said else "nobody knows where"


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except BrokenPipeError:
            return


def work_folder(parent: Path | None = None) -> Path:
    """Make a folder for what is being received or read; whoever makes it removes it.

    Parameters
    ----------
    parent : Path, optional
        Where it shall lie; among the system's temporary files by default.
    """
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))


def remove_left_folders(parent: Path | None = None, *, older_s: float = _LEFT_S) -> int:
    """Remove the work folders of programs that were killed; return how many.

    Parameters
    ----------
    parent : Path, optional
        As for `work_folder`.
    """
    gone = 0
    for path in (parent or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*"):
        try:
            if path.is_dir() and time.time() - path.stat().st_mtime > older_s:
                shutil.rmtree(path, ignore_errors=True)
                gone += 1
        except OSError:  # somebody else has removed it
            continue
    return gone
