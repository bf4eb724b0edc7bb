"""Whether a disk has room for an output, asked before the work begins."""

import shutil
from pathlib import Path

from data.errors import SourceError

__all__ = ["require_folder", "require_left", "require_room"]

# Parts are compressed; the output is longer than the input by what is added.
_SHARE = 2.0
_PACKED = {".gz": 8.0, ".parquet": 3.0, ".xlsx": 8.0}
_GIB = 2**30
# What a job leaves of a disk that others write to, such as the database.
_LEFT = 2**28


def require_room(source: Path, target: Path) -> None:
    """Refuse an output that its disk has no room for.

    Raises
    ------
    SourceError
        If there is too little room, or no folder.
    """
    folder = target.resolve().parent
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder} to write to")
    free = shutil.disk_usage(folder).free
    needed = source.stat().st_size * _PACKED.get(source.suffix.lower(), _SHARE)
    if needed > free:
        raise SourceError(
            f"{folder} has {free / _GIB:.1f} GiB free, the output needs about "
            f"{needed / _GIB:.1f} GiB: choose another --output or make room; nothing was written"
        )


def require_left(folder: Path) -> None:
    """Refuse to write more to a disk that is nearly full.

    Raises
    ------
    SourceError
        If it is.
    """
    free = shutil.disk_usage(folder).free
    if free < _LEFT:
        raise SourceError(f"the disk has {free / _GIB:.2f} GiB left: nothing more is written to it")


def require_folder(folder: Path) -> None:
    """Make a folder, where it is not there.

    Raises
    ------
    SourceError
        If a file has its name, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"{folder} cannot be a folder: {error}") from error
