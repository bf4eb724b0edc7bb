"""Backup and restore: the database by ``pg_dump``, and beside it what the state folder holds.

A backup is a tar: ``manifest.json`` says what is in it and what is left out, ``database.dump`` is
pg_dump's custom format, the rest are folders of the state folder.
"""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from data.binaries import find_postgres
from data.database import Database
from data.errors import DatabaseError
from data.private_files import make_home, tighten

__all__ = ["KEPT", "LEFT_OUT", "backup", "restore"]

# Folders of the state folder: road networks, files of jobs, kept heads of the audit log, and what
# the demonstration city is made of.
KEPT = ("networks", "jobs", "audit", "demo")
LEFT_OUT = {
    "locators": "built again from the database",
    "cluster": "the database is in the dump",
    "password": "made anew by the cluster that is restored to",
    "settings": "ONEGRID_… are the environment's",
}
_DUMP, _MANIFEST = "database.dump", "manifest.json"
_MODE = 0o600
_EMPTY = """
DROP SCHEMA IF EXISTS audit CASCADE;
DROP SCHEMA IF EXISTS jobs CASCADE;
DROP SCHEMA IF EXISTS public CASCADE;
CREATE SCHEMA public;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""


def backup(database: Database, target: Path, home: Path) -> dict[str, object]:
    """Write database and state to one file, whole or not at all; return its manifest.

    Parameters
    ----------
    home : Path
        State folder.

    Raises
    ------
    DatabaseError
        If ``pg_dump`` fails; what it said is in the message.
    """
    partial = target.with_name(target.name + ".part")
    try:
        with _beside(target) as folder:
            dump = folder / _DUMP
            arguments = ["--format=custom", f"--file={dump}", f"--dbname={database.conninfo}"]
            _run("pg_dump", *arguments)
            kept = [name for name in KEPT if (home / name).is_dir()]
            manifest: dict[str, object] = {
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "holds": ["database", *kept],
                "left_out": LEFT_OUT,
            }
            (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            _write(partial, folder, home, kept)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def restore(database: Database, source: Path, home: Path) -> list[str]:
    """Replace database and state by a backup's; return what was restored.

    The database is replaced all or nothing, and before the folders. A file of ``pg_dump`` alone,
    as earlier versions wrote it, restores the database only.

    Raises
    ------
    DatabaseError
        If the file is missing or none of ours, or ``pg_restore`` fails; all is then as before.
    """
    if not source.is_file():
        raise DatabaseError(f"no backup file {source}")
    if not tarfile.is_tarfile(source):
        _restore_database(database, source)
        return ["database"]
    make_home(home, is_passed=os.geteuid() == 0)
    with _beside(home / "restore") as folder:
        _extract(source, folder)
        _restore_database(database, folder / _DUMP)
        kept = [name for name in KEPT if (folder / name).is_dir()]
        for name in kept:
            shutil.rmtree(home / name, ignore_errors=True)
            (folder / name).replace(home / name)
    # It is built again from what was restored.
    shutil.rmtree(home / "locators", ignore_errors=True)
    tighten(home)
    return ["database", *kept]


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder of the same disk, readable by nobody else."""
    if not path.parent.is_dir():
        raise DatabaseError(f"no folder {path.parent}")
    with tempfile.TemporaryDirectory(prefix=".onegrid-", dir=path.parent) as folder:
        yield Path(folder)


def _write(partial: Path, folder: Path, home: Path, kept: list[str]) -> None:
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        os.fchmod(file.fileno(), _MODE)
        for name in (_MANIFEST, _DUMP):
            tar.add(folder / name, arcname=name, filter=_anonymous)
        for name in kept:
            tar.add(home / name, arcname=name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without the users of this machine, links, and marks of running processes."""
    if not (entry.isfile() or entry.isdir()) or entry.name.endswith(".lock"):
        return None
    entry.mode = 0o700 if entry.isdir() else _MODE
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _extract(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source) as tar:
            # The filter refuses links and names that lead out of the folder.
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise DatabaseError(f"{source} cannot be read: {error}") from error
    if not (folder / _DUMP).is_file():
        raise DatabaseError(f"{source} holds no {_DUMP}: it is no backup of this program")


def _restore_database(database: Database, dump: Path) -> None:
    """Run the dump as one transaction.

    Not by ``pg_restore --clean``: it drops the parts of a partitioned table one by one, which
    PostgreSQL refuses. The script is written whole first, so that a torn dump changes nothing.
    """
    with tempfile.TemporaryDirectory(prefix="onegrid-restore-", dir=dump.parent) as folder:
        script, empty = Path(folder) / "dump.sql", Path(folder) / "empty.sql"
        empty.write_text(_EMPTY, encoding="ascii")
        # Rights are given anew to the role that serves here.
        _run("pg_restore", "--no-owner", "--no-acl", f"--file={script}", str(dump))
        arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--output=/dev/null"]
        arguments += ["--set=ON_ERROR_STOP=1", f"--file={empty}", f"--file={script}"]
        _run("psql", *arguments, f"--dbname={database.conninfo}")


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [find_postgres() / program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PGCONNECT_TIMEOUT": "10"},
    )
    if done.returncode:
        raise DatabaseError(f"{program} failed: {done.stderr.strip()[-2000:]}")
