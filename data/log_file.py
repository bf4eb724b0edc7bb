"""A log file that several processes write, and that is turned over when it has grown.

Each line is one write to a file that is only appended to. Who finds it too large renames it, while
the others wait; they see that it is another file and open the new one. A program such as logrotate
that renames it is followed in the same way.
"""

import fcntl
import logging
import os
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path

__all__ = ["SharedFileHandler"]

_MOST_BYTES, _FORMER = 32 * 2**20, 7
_MODE = 0o600
# A disk that is full fails each line: that is told so often.
_TELL_S = 300.0


class SharedFileHandler(WatchedFileHandler):
    """Writes records to a file that other processes write too.

    Parameters
    ----------
    path : Path
    most_bytes : int
        How large it may grow.
    former : int
        How many former files are kept, as ``name.1``, the newest, and so on.
    """

    def __init__(self, path: Path, *, most_bytes: int = _MOST_BYTES, former: int = _FORMER) -> None:
        self._path, self._most_bytes, self._kept = path, most_bytes, former
        self._tell_at_s = 0.0
        super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, to a new file where the present one is full."""
        try:
            self.reopenIfNeeded()
            if self.stream and os.fstat(self.stream.fileno()).st_size >= self._most_bytes:
                self._turn_over()
        except OSError:
            self.handleError(record)
            return
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own
        """Say, now and then, that lines are lost; never with what they say."""
        if time.monotonic() < self._tell_at_s:
            return
        self._tell_at_s = time.monotonic() + _TELL_S
        error = sys.exc_info()[1]
        why = (getattr(error, "strerror", None) or "") if error else ""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"lines of the log are lost: {type(error).__name__} {why}\n")

    def _open(self) -> TextIOWrapper:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        return os.fdopen(handle, "a", encoding=self.encoding, errors=self.errors)

    def _turn_over(self) -> None:
        with self._path.with_name(f".{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_full():
                for number in range(self._kept, 0, -1):
                    with suppress(FileNotFoundError):
                        self._former_path(number - 1).rename(self._former_path(number))
        self.reopenIfNeeded()

    def _is_full(self) -> bool:
        """Whether it is full still: another may have turned it over, and written nothing yet."""
        try:
            return self._path.stat().st_size >= self._most_bytes
        except FileNotFoundError:
            return False

    def _former_path(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
