"""Which process keeps a private cluster running: whoever stops the cluster else is told so.

It is a lock of the operating system on a file beside the cluster's data, which ends with the
process that holds it, however that ends, and says which process that is. Several may hold it.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["keeper_of", "keeping"]

# ``struct flock`` of Linux: kind, whence, start, length, process.
_FLOCK = struct.Struct("hhqqi4x")


@contextmanager
def keeping(data_dir: Path) -> Iterator[None]:
    """Within the block, this process keeps the cluster running, known or (disk full) not."""
    with ExitStack() as held:
        with suppress(OSError):
            file = held.enter_context(_file(data_dir).open("a+"))
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def keeper_of(data_dir: Path) -> int | None:
    """Process id of another that keeps the cluster running; None where there is none."""
    try:
        handle = os.open(_file(data_dir), os.O_RDONLY)
    except OSError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else int(pid)


def _file(data_dir: Path) -> Path:
    return data_dir.with_name("kept.lock")
