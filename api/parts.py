"""The parts of the program: processes of their own, started again when they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from api.ends import how_it_ended, why_no_start
from data.pauses import Lives

__all__ = ["Parts", "end_when_told", "end_with_parent", "program"]

_LOOK_S = 0.2
# glibc keeps what a thread has freed for that thread alone, with up to eight arenas for each core:
# what was needed once, for papers or files, would never be given back.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}
# Longer than the web server lets requests go on.
_END_S = 35.0


@dataclass
class _Part:
    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    lives: Lives = field(default_factory=Lives)


class Parts:
    """Processes that run side by side; used as a context, at whose end all of them end.

    Parameters
    ----------
    commands : mapping of str to sequence of str
        What a part is called → the function of the program that it runs (``module:name``), and
        its arguments.
    say : callable
        Told, in one line, when a part has ended and is started again.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> None:
        self._parts = [_Part(name, command) for name, command in commands.items()]
        self._say = say
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Start all of them."""
        for part in self._parts:
            self._start(part)
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them, politely first."""
        self._stop.set()
        living = [part.process for part in self._parts if part.process is not None]
        for process in living:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _END_S
        for process in living:
            try:
                process.wait(timeout=max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def look(self) -> None:
        """Start again what has ended and whose pause is over."""
        for part in self._parts:
            if part.process is not None and part.process.poll() is not None:
                self._note_end(part, part.process.returncode)
            if part.process is None and part.lives.is_due:
                self._start(part)

    def watch(self) -> None:
        """Keep them running, until the program is told to end."""
        while not self._stop.wait(_LOOK_S):
            self.look()

    def _note_end(self, part: _Part, status: int) -> None:
        part.process = None
        self._say(f"{part.name} {how_it_ended(status, part.lives.end())}")

    def _start(self, part: _Part) -> None:
        part.lives.begin()
        try:
            # A session of its own: Ctrl-C reaches this process, which ends its parts in order.
            part.process = subprocess.Popen(
                [*program(part.command[0]), *part.command[1:]],
                start_new_session=True,
                env=_ENVIRONMENT | os.environ,
                stdin=subprocess.PIPE,
            )
        except OSError as error:  # no memory, or too many processes: later, perhaps
            self._say(f"{part.name} {why_no_start(error, part.lives.end())}")


def program(function: str) -> list[str]:
    """The command that runs a function of the program (``module:name``)."""
    module, _, name = function.partition(":")
    return [sys.executable, "-c", f"from {module} import {name}; {name}()"]


def end_when_told() -> None:
    """Let Ctrl-C and a polite kill both end this process, by KeyboardInterrupt.

    What a script starts beside itself (``onegrid up &``) would ignore Ctrl-C otherwise, and so
    would all its parts: a shell without job control has it so.
    """
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.default_int_handler)


def end_with_parent() -> None:
    """End this process when the parent's end of standard input closes, even by kill -9."""
    end_when_told()

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()
