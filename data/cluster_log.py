"""The log of the private cluster's server: bounded, and read where the server does not start.

What the server says before it can collect its own words goes to one file, of a few lines a start;
everything else to files of a day or 16 MB each, of which the newest are kept.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClusterLog"]

_MOST_FILES, _MOST_BYTES = 30, 128 * 2**20
_LONGEST_START = 2**20
_TAIL, _TAIL_BYTES = 8, 16_384


@dataclass(frozen=True, slots=True)
class ClusterLog:
    """Where the server writes.

    Parameters
    ----------
    root : Path
        Folder beside the cluster's data.
    """

    root: Path

    @property
    def first(self) -> Path:
        """The file of what is said while the server begins."""
        return self.root / "cluster.log"

    @property
    def folder(self) -> Path:
        """The folder of what is said afterwards."""
        return self.root / "cluster-log"

    @property
    def files(self) -> list[Path]:
        """All files, the newest last."""
        return [self.first, *sorted(self.folder.glob("*.log"))]

    def settings(self) -> dict[str, str]:
        """What PostgreSQL is told about it."""
        return {
            "logging_collector": "on",
            "log_directory": f"'{self.folder}'",
            "log_filename": "cluster-%Y-%m-%d_%H%M%S.log",
            "log_file_mode": "0600",
            "log_rotation_age": "1d",
            "log_rotation_size": "16MB",
            "log_truncate_on_rotation": "on",
            "log_timezone": "UTC",
        }

    def trim(self) -> int:
        """Delete the oldest files beyond what is kept; return how many."""
        kept, size, gone = 0, 0, 0
        for path in sorted(self.folder.glob("*.log"), reverse=True):
            try:
                size += path.stat().st_size
                kept += 1
                # The newest is being written.
                if kept > 1 and (kept > _MOST_FILES or size > _MOST_BYTES):
                    path.unlink()
                    gone += 1
            except FileNotFoundError:  # another process has done it
                continue
        if self.first.exists() and self.first.stat().st_size > _LONGEST_START:
            self.first.write_bytes(b"")
        return gone

    def tail(self, since_s: float) -> str:
        """The last lines that were written since a moment (seconds since 1970)."""
        return "\n".join(line for path in self.files for line in _tail(path, since_s))


def _tail(path: Path, since_s: float) -> Iterator[str]:
    try:
        status = path.stat()
        if status.st_mtime < since_s:
            return
        with path.open("rb") as file:
            file.seek(max(status.st_size - _TAIL_BYTES, 0))
            yield from file.read().decode(errors="replace").splitlines()[-_TAIL:]
    except OSError as error:
        yield f"({path.name} is unreadable: {errno.errorcode.get(error.errno or 0, error)})"
