"""Backup and restore by ``pg_dump`` and ``pg_restore`` in custom format."""

import os
import subprocess
from pathlib import Path

from data.binaries import find_postgres
from data.database import Database
from data.errors import DatabaseError

__all__ = ["backup", "restore"]


def backup(database: Database, target: Path) -> None:
    """Write the whole database to one file, whole or not at all.

    Raises
    ------
    DatabaseError
        If ``pg_dump`` fails; what it said is in the message.
    """
    partial = target.with_name(target.name + ".part")
    try:
        _run("pg_dump", "--format=custom", f"--file={partial}", f"--dbname={database.conninfo}")
    except DatabaseError:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(target)


def restore(database: Database, source: Path) -> None:
    """Replace the database's contents by a backup's, all or nothing.

    Raises
    ------
    DatabaseError
        If the file is missing or ``pg_restore`` fails; the database is then as before.
    """
    if not source.is_file():
        raise DatabaseError(f"no backup file {source}")
    arguments = ["--clean", "--if-exists", "--no-owner", "--single-transaction"]
    _run("pg_restore", *arguments, f"--dbname={database.conninfo}", str(source))


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
