"""Processes of the web server on one socket, forked from one that has loaded the program.

They share what was loaded before the fork, and one that ends is there again in a moment. uvicorn's
own supervisor starts each of them from nothing, asks it for a sign of life, and kills it after five
seconds without one: on a busy machine, before it has begun.
"""

import logging
import mmap
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Self

from api.ends import how_it_ended, why_no_start
from data.descriptors import wait_for_any
from data.errands import Errands
from data.log import LOG
from data.memory import held_for_long
from data.pauses import Lives

__all__ = ["Beat", "Serve", "serve_forked"]

_LOOK_S = 0.5
# How long a process may go on with the requests that it has when it is told to end.
_END_S = 30.0
# How long a process may be silent that has once answered, and one that has not (the machine may be
# busy); and how long it may take to say where it was.
_SILENT_S, _STARTING_S, _DYING_S = 120.0, 600.0, 5.0
# Between two looks lies no such time, unless all processes were frozen (as containers are).
_FROZEN_S = 20.0
_FAILED = 1
_MOMENT = struct.Struct("d")
# Says that a process is well.
Beat = Callable[[], None]
# Serves on the socket until the process is told to end.
Serve = Callable[[socket.socket, Beat], None]


@dataclass
class _Child:
    """One of the processes: its place among them, and how it lives."""

    number: int
    pid: int = 0
    lives: Lives = field(default_factory=Lives)
    killed_s: float = 0.0


def serve_forked(
    count: int,
    listening: socket.socket,
    serve: Serve,
    *,
    errands: Errands | None = None,
    ends: Sequence[int] = (),
) -> None:
    """Serve with so many processes until this one is told to end (SIGINT, SIGTERM).

    Parameters
    ----------
    count : int
    listening : socket
        All of them take connections from it.
    serve : callable
        Serves in a process of its own. It makes what a fork would break: connections, threads. It
        says by its second argument, every few seconds from its first answer on, that it is well;
        a process that stops saying so is ended and started again.
    errands : Errands, optional
        Work that these processes may ask for; it is done by others beside them.
    ends : sequence of int
        File descriptors; when one of them can be read this process ends too.

    Raises
    ------
    RuntimeError
        If this process has threads: a fork would leave their locks as they are.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process with threads is not forked")
    told, bell = socket.socketpair()
    bell.setblocking(False)
    signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, _nothing) for number in _ENDING}
    # What has been loaded stays as it is: the collector would write to each page of it.
    held_for_long()
    with _Family(count, listening, serve, errands or Errands({})) as family:
        while not wait_for_any((told.fileno(), *ends), _LOOK_S):
            family.look()
        LOG.info("the processes of the web server are told to end", pid=os.getpid())
        signal.set_wakeup_fd(-1)
    for number, handler in previous.items():
        signal.signal(number, handler)


_ENDING = (signal.SIGINT, signal.SIGTERM)


def _nothing(*_: object) -> None:
    """A signal that is told by the wake-up descriptor."""


class _Family:
    """The processes, and what they are watched by: a moment of each in memory that all share."""

    def __init__(
        self, count: int, listening: socket.socket, serve: Serve, errands: Errands
    ) -> None:
        self._children = [_Child(number) for number in range(count)]
        self._listening, self._serve, self._errands = listening, serve, errands
        self._beats = mmap.mmap(-1, _MOMENT.size * count)
        self._looked_s = self._awake_s = time.monotonic()
        # Its other end closes with this process, however that ends.
        self._parent_gone, self._parent_here = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them, politely first."""
        living = [child.pid for child in self._children if child.pid]
        for pid in living:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while living and time.monotonic() < deadline:
            living = [pid for pid in living if not os.waitpid(pid, os.WNOHANG)[0]]
            time.sleep(0.05)
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._errands.end()
        os.close(self._parent_gone)
        os.close(self._parent_here)

    def look(self) -> None:
        """Start again what has ended and whose pause is over; end what is silent."""
        now = time.monotonic()
        if now - self._looked_s > _FROZEN_S:
            # This process did not run, so neither did the others: their silence means nothing.
            self._awake_s = now
        self._looked_s = now
        for child in self._children:
            if child.pid:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._note_end(child, os.waitstatus_to_exitcode(status))
                else:
                    self._end_if_silent(child)
            if not child.pid and child.lives.is_due:
                self._start(child)
        self._errands.look(self._settle)

    def _note_end(self, child: _Child, status: int) -> None:
        child.pid = 0
        said = how_it_ended(status, child.lives.end())
        LOG.error(f"process {child.number + 1} of the web server {said}")

    def _end_if_silent(self, child: _Child) -> None:
        now = time.monotonic()
        (well_s,) = _MOMENT.unpack_from(self._beats, child.number * _MOMENT.size)
        silent_s = now - max(well_s, child.lives.began_s, self._awake_s)
        if child.killed_s:
            if now - child.killed_s > _DYING_S:
                os.kill(child.pid, signal.SIGKILL)
        elif silent_s > (_SILENT_S if well_s else _STARTING_S):
            LOG.error(
                f"process {child.number + 1} of the web server has been silent for "
                f"{silent_s:.0f} s: it is ended"
            )
            # It says where each of its threads is.
            os.kill(child.pid, signal.SIGABRT)
            child.killed_s = now

    def _beat(self, number: int) -> None:
        _MOMENT.pack_into(self._beats, number * _MOMENT.size, time.monotonic())

    def _start(self, child: _Child) -> None:
        child.lives.begin()
        child.killed_s = 0.0
        _MOMENT.pack_into(self._beats, child.number * _MOMENT.size, 0.0)
        # A process that is told to end before it is one of its own ends as soon as it is.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            child.pid = os.fork()
            if not child.pid:
                self._live(child.number)
        except OSError as error:  # no memory, or too many processes: later, perhaps
            said = why_no_start(error, child.lives.end())
            LOG.error(f"process {child.number + 1} of the web server {said}")
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def _live(self, number: int) -> NoReturn:
        """Be the process; it ends with its parent."""
        status = _FAILED
        try:
            self._settle()
            self._serve(self._listening, lambda: self._beat(number))
            status = 0
        except BaseException:  # noqa: BLE001 - the process ends with it
            LOG.exception("a process of the web server fails")
        finally:
            logging.shutdown()
            os._exit(status)

    def _settle(self) -> None:
        """Be a process of its own, which ends when it is told to, and with its parent."""
        signal.set_wakeup_fd(-1)
        for ending in _ENDING:
            signal.signal(ending, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        os.close(self._parent_here)
        threading.Thread(target=self._end_with_parent, daemon=True).start()

    def _end_with_parent(self) -> None:
        os.read(self._parent_gone, 1)
        os.kill(os.getpid(), signal.SIGTERM)
