"""Work done apart, by a process forked from one that has loaded the program and has no threads.

It shares what was loaded, begins at once, and gives back with its end what its work needed.
"""

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn, Self

from data.descriptors import wait_for_any
from data.log import LOG
from data.reasons import reason_of
from gis.errors import OneGridError

__all__ = ["ErrandError", "Errands", "Until"]

# Asked all the while: once it is true nobody wants the work any more.
Until = Callable[[], bool]
_LOOK_S, _MOST_BYTES = 0.5, 64_000
# Beside requests, which go first.
_NICE = 10
_DONE = b"\0done"


class ErrandError(OneGridError):
    """Work that was to be done apart has failed."""


class Errands:
    """Work that processes ask their parent for, and that it has done by others.

    Parameters
    ----------
    works : mapping of str to callable
        What can be asked for. Each is given the text that was sent with it, and makes what a fork
        would break: connections, threads.
    """

    def __init__(self, works: Mapping[str, Callable[[str], None]]) -> None:
        self._works = works
        self._asked, self._asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked.setblocking(False)
        self._pids: set[int] = set()

    def __enter__(self) -> Self:
        """Be there to be asked, by what is forked within the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more; what is asked for then fails."""
        self._asked.close()
        self._asking.close()

    def run(self, name: str, argument: str, until: Until) -> None:
        """Ask for work, from a process forked after this was made, and wait until it is done.

        Raises
        ------
        ErrandError
            If it fails, with its reason; if its process is ended; if `until` becomes true.
        """
        here, there = socket.socketpair()
        with here:
            with there:
                message = json.dumps([name, argument]).encode()
                socket.send_fds(self._asking, [message], [there.fileno()])
            said, is_over = b"", False
            while not is_over and not until():
                if wait_for_any((here.fileno(),), _LOOK_S):
                    part = here.recv(4096)
                    said, is_over = said + part, not part
        if said != _DONE:
            raise ErrandError(said.decode(errors="replace") or "its process was ended")

    def look(self, settle: Callable[[], None]) -> None:
        """In the parent: begin what has been asked for; take note of what has ended.

        Parameters
        ----------
        settle : callable
            Called first by each new process.
        """
        self._pids -= {pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]}
        with suppress(BlockingIOError):
            while True:
                message, descriptors, _, _ = socket.recv_fds(self._asked, _MOST_BYTES, 1)
                if not descriptors:  # none are left here: the other end sees its socket closed
                    LOG.error("work apart cannot begin: too many open files")
                    continue
                with socket.socket(fileno=descriptors[0]) as asker:
                    self._begin(message, asker, settle)

    def end(self) -> None:
        """In the parent, when all who asked have ended: nobody waits for what they asked for."""
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _begin(self, message: bytes, asker: socket.socket, settle: Callable[[], None]) -> None:
        try:
            pid = os.fork()
        except OSError as error:  # no memory, or too many processes: who asked asks again
            with suppress(OSError):
                asker.sendall(f"no process for it: {error.strerror}".encode())
            return
        if not pid:
            self._live(message, asker, settle)
        self._pids.add(pid)

    def _live(self, message: bytes, asker: socket.socket, settle: Callable[[], None]) -> NoReturn:
        said = b""
        try:
            settle()
            threading.Thread(target=_end_with, args=(asker,), daemon=True).start()
            os.nice(_NICE)
            name, argument = json.loads(message)
            self._works[name](argument)
            said = _DONE
        except BaseException as error:  # noqa: BLE001 - the process ends with it
            own = isinstance(error, OneGridError)
            if not own:
                LOG.exception("work apart fails")
            said = (str(error) if own else reason_of(error)).encode()
        finally:
            with suppress(OSError):  # nobody waits for it any more
                asker.sendall(said)
            logging.shutdown()
            os._exit(said != _DONE)


def _end_with(asker: socket.socket) -> None:
    """End this process once nobody waits for it."""
    with suppress(OSError):
        asker.recv(1)
    os._exit(1)
