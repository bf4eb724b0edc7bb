"""Which process is the server of a private cluster; asked without connecting to it."""

import os
from pathlib import Path

__all__ = ["postmaster_of"]


def postmaster_of(data_dir: Path) -> int | None:
    """Process id of the live server of *this* data directory, by its command line.

    The number that a killed server has left may be another program's by now.
    """
    try:
        pid = int((data_dir / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    return pid if os.fsencode(data_dir) in command else None
