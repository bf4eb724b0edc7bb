"""What this machine has, or what it gives us of it."""

import os
from pathlib import Path

__all__ = ["memory_bytes"]

_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_bytes() -> int:
    """Memory that all processes may use together: the machine's, or less in a container."""
    held = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in _LIMITS:
        try:
            held.append(int(limit.read_text()))
        except (OSError, ValueError):  # there is none: "max"
            continue
    return min(held)
