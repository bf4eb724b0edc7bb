"""Files that no record names any more: of jobs that are gone, of partitions not gone on with."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from data.settings import Settings

__all__ = ["LeftFile", "delete_left", "left_files"]

_JOBS = text("SELECT id FROM assign_job")


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file or a job's folder, how many files it is, and how large."""

    path: Path
    files: int
    bytes: int


def left_files(connection: Connection, settings: Settings, days: int) -> Iterator[LeftFile]:
    """Those that nobody has touched for so many days."""
    held = {str(number) for number in connection.execute(_JOBS).scalars()}
    oldest_s = time.time() - days * 86_400
    jobs = (path for path in settings.jobs_dir.glob("*") if path.name.isdecimal())
    candidates = [path for path in jobs if path.name not in held]
    candidates += settings.home.glob("partition/*/*")
    for path in candidates:
        inside = [path, *path.rglob("*")] if path.is_dir() else [path]
        status = [one.lstat() for one in inside if one.exists()]
        if status and max(one.st_mtime for one in status) < oldest_s:
            files = sum(one.is_file() for one in inside)
            yield LeftFile(path, files, sum(one.st_size for one in status))


def delete_left(left: LeftFile) -> bool:
    """Delete one; whether it is gone."""
    if left.path.is_dir():
        shutil.rmtree(left.path, ignore_errors=True)
    else:
        left.path.unlink(missing_ok=True)
    return not left.path.exists()
