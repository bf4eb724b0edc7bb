"""Several processes of the web server on one socket, from one that has loaded the program already.

They share what was loaded before the fork. One that ends is started again with a pause that grows
only where it dies at once, and its death is told with its reason. uvicorn's own supervisor asks each
of them for a sign of life and kills after five seconds without one: on a busy machine, before they
have begun.
"""

import gc
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from api.ends import how_it_ended
from data.pauses import pause_after

__all__ = ["serve_forked"]

_LOG = logging.getLogger("onegrid")
_LOOK_S = 0.5
# How long a process may go on with the requests that it has.
_END_S = 30.0
_FAILED = 1


@dataclass
class _Child:
    """One of the processes: its place among them, and how it lives."""

    number: int
    pid: int = 0
    started_s: float = 0.0
    pause_s: float = 0.0
    due_s: float = 0.0


def serve_forked(count: int, listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve with so many processes until this one is told to end.

    Parameters
    ----------
    count : int
    listening : socket
        All of them take connections from it.
    serve : callable
        Serves in a process of its own, and returns when that process is told to end. It makes what
        a fork would break: connections, threads.

    Raises
    ------
    RuntimeError
        If this process has threads: a fork would leave their locks as they are.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process with threads is not forked")
    children = [_Child(number) for number in range(count)]
    told, bell = socket.socketpair()
    bell.setblocking(False)
    previous = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    # What has been loaded stays as it is: the collector would write to each page of it.
    gc.collect()
    gc.freeze()
    try:
        while not select.select([told], [], [], _LOOK_S)[0]:
            _look(children, listening, serve)
    finally:
        signal.set_wakeup_fd(-1)
        _end(children)
        for one, handler in previous.items():
            signal.signal(one, handler)


def _look(
    children: list[_Child], listening: socket.socket, serve: Callable[[socket.socket], None]
) -> None:
    for child in children:
        now = time.monotonic()
        if child.pid:
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            child.pid = 0
            child.pause_s = pause_after(now - child.started_s, child.pause_s)
            child.due_s = now + child.pause_s
            code = os.waitstatus_to_exitcode(status)
            _LOG.error(
                "process %d of the web server %s",
                child.number + 1,
                how_it_ended(code, child.pause_s),
            )
        if now >= child.due_s:
            child.started_s = now
            child.pid = _fork(listening, serve)


def _fork(listening: socket.socket, serve: Callable[[socket.socket], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = _FAILED
    try:
        signal.set_wakeup_fd(-1)
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        serve(listening)
        status = 0
    except BaseException:
        _LOG.exception("a process of the web server fails")
    finally:
        os._exit(status)


def _end(children: list[_Child]) -> None:
    living = [child.pid for child in children if child.pid]
    for pid in living:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_S
    while living and time.monotonic() < deadline:
        living = [pid for pid in living if not os.waitpid(pid, os.WNOHANG)[0]]
        time.sleep(0.05)
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
