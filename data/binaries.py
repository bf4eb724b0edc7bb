"""Finding PostgreSQL's programs and the system user that they may run as."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import ClusterError

__all__ = ["Postgres", "RunAs", "find_postgres", "unprivileged_user"]

_INSTALL_HINT = "install them with: apt-get install postgresql postgresql-postgis"


@dataclass(frozen=True, slots=True)
class RunAs:
    """The system user that server programs run as; ``None`` ids mean the present user."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program as this user and capture what it prints."""
        return subprocess.run(
            [str(part) for part in command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can reach `folder`."""
        return self.run(["test", "-x", folder]).returncode == 0


def unprivileged_user() -> RunAs:
    """Return the present user, or for root the one to drop to: the server never runs as root."""
    if os.geteuid() != 0:
        return RunAs(pwd.getpwuid(os.geteuid()).pw_name)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(name, entry.pw_uid, entry.pw_gid)
    raise ClusterError("running as root, and there is no user 'postgres' or 'nobody' to drop to")


@dataclass(frozen=True, slots=True)
class Postgres:
    """One installed PostgreSQL."""

    bin_dir: Path
    major: int

    def __truediv__(self, program: str) -> Path:
        """Path of one of its programs: ``postgres / "pg_ctl"``."""
        return self.bin_dir / program


def _version(initdb: Path) -> int:
    printed = subprocess.run([initdb, "--version"], check=True, capture_output=True, text=True)
    return int(printed.stdout.split()[-1 if printed.stdout.count(" ") == 2 else 2].split(".")[0])


def _has_postgis(postgres: Postgres) -> bool:
    pg_config = postgres / "pg_config"
    shared = Path(f"/usr/share/postgresql/{postgres.major}")
    if not shared.is_dir() and pg_config.exists():
        found = subprocess.run(
            [pg_config, "--sharedir"], check=True, capture_output=True, text=True
        )
        shared = Path(found.stdout.strip())
    return (shared / "extension" / "postgis.control").exists()


def find_postgres(major: int | None = None) -> Postgres:
    """Find the newest PostgreSQL that has PostGIS, or the given major version.

    Raises
    ------
    ClusterError
        If no server, or none with PostGIS, is installed; says which packages to install.
    """
    candidates = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve())
    installed = [Postgres(path.parent, _version(path)) for path in candidates]
    if major is not None:
        installed = [postgres for postgres in installed if postgres.major == major]
    if not installed:
        wanted = f"PostgreSQL {major}" if major else "PostgreSQL"
        raise ClusterError(f"{wanted} is not installed; {_INSTALL_HINT}")
    usable = [postgres for postgres in installed if _has_postgis(postgres)]
    if not usable:
        raise ClusterError(f"PostgreSQL is installed but PostGIS is not; {_INSTALL_HINT}")
    return max(usable, key=lambda postgres: postgres.major)
