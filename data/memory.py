"""What is held for long, and what is given back."""

import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["bound_arenas", "give_back_code", "held_for_long"]

# Of mallopt(3).
_M_ARENA_MAX, _ARENAS = -8, 2
_MAPS = Path("/proc/self/smaps")
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (r-[x-]p) \S+ \S+ [1-9]\d* +/")


def held_for_long() -> None:
    """Let the garbage collector pass over everything that is held now.

    A directory is hundreds of thousands of objects. Walking through them each time that some
    ten thousand rows have come and gone took half of a bulk run.
    """
    gc.collect()
    gc.freeze()


def bound_arenas() -> None:
    """Let threads share a few of glibc's arenas; to be called before there are threads.

    By default there are eight for each core, and what a thread has freed stays in its own: papers
    and files that were needed once left 600 MB behind.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_code() -> None:
    """Let go of the pages of libraries' files; those that are used come back by themselves.

    To load compiled kernels, LLVM goes through 70 MB of its code, and is not needed to run them.
    """
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is None or not _MAPS.exists():
        return
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for begin, end in list(_unwritten()):
        advise(begin, end - begin, mmap.MADV_DONTNEED)


def _unwritten() -> Iterator[tuple[int, int]]:
    """Where files are mapped that nobody writes to, and of which nothing was written to either."""
    mapped = None
    for line in _MAPS.read_text().splitlines():
        if found := _MAPPING.match(line):
            mapped = int(found[1], 16), int(found[2], 16)
        elif mapped and line.startswith("Anonymous:"):
            if line.split()[1] == "0":
                yield mapped
            mapped = None
        elif not line[:1].isupper():  # another mapping
            mapped = None
