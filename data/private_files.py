"""State is its owner's only: folders 0700, files 0600.

Where the program is root, PostgreSQL runs as another user and must pass through the state folder to
its own: the state folder alone is then 0711, which lists nothing.
"""

import os
import stat
import tempfile
from pathlib import Path

__all__ = ["PRIVATE_UMASK", "folder_beside", "make_home", "tighten"]

PRIVATE_UMASK = 0o077
_FOLDER, _FILE, _PASSED = 0o700, 0o600, 0o711
# PostgreSQL's own: `data.cluster` gives them their owner and mode.
_CLUSTER = frozenset({"cluster", "socket"})


def make_home(home: Path, *, is_passed: bool) -> None:
    """Make the state folder where it is absent.

    Parameters
    ----------
    is_passed : bool
        Whether another user passes through it, to a folder of its own.
    """
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(_PASSED if is_passed else _FOLDER)


def folder_beside(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the disk of a file to be made, which nobody else enters.

    What is written under a name in the open could be another's file already.
    """
    return tempfile.TemporaryDirectory(prefix=".onegrid-", dir=path.parent)


def tighten(home: Path) -> int:
    """Take from others what an earlier version left readable; return how much it was.

    The folders of the cluster keep their modes, and for root the way to them stays open.
    """
    if not home.is_dir():
        return 0
    is_root = os.geteuid() == 0
    changed = int(_narrow(home, _PASSED if is_root else _FOLDER))
    for folder, folders, files in os.walk(home):
        if Path(folder) == home:
            folders[:] = [name for name in folders if name not in _CLUSTER]
        changed += sum(_narrow(Path(folder) / name, _FOLDER) for name in folders)
        changed += sum(_narrow(Path(folder) / name, _FILE) for name in files)
    return changed


def _narrow(path: Path, most: int) -> bool:
    """Take the bits beyond `most` from a file or folder that is no link."""
    try:
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode) or not mode & ~most & 0o077:
            return False
        path.chmod(mode & ~(0o077 & ~most))
    except FileNotFoundError:  # a job's, deleted meanwhile
        return False
    return True
