"""Making an address book's file in a process of its own.

What its making needs is given back with the process, and no request waits for it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

from data.database import Database
from gis.errors import OneGridError
from grids.book_file import alone, make_book
from grids.directory import load_places

__all__ = ["main", "make_apart"]

# Beside requests, which go first; and a heap that gives back what it does not need.
_NICE = 10
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
_MOST_S, _LOOK_S = 1200.0, 0.5


class MakingError(OneGridError):
    """The process that makes a book has failed."""


def make_apart(
    database: Database, county: str, at: datetime, folder: Path, *, until: Callable[[], bool]
) -> None:
    """Make the book of a county as of a moment, by another process.

    Parameters
    ----------
    until : callable
        Asked all the while: once it is true nobody wants the book any more.

    Raises
    ------
    MakingError
        If it fails, with the last line that it said, or is ended.
    """
    with alone(folder, county, until):
        if not until():
            _make(database, county, at, folder, until)


def _make(
    database: Database, county: str, at: datetime, folder: Path, until: Callable[[], bool]
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    asked = {"url": url, "county": county, "at": at.isoformat(), "folder": str(folder)}
    program = [sys.executable, "-c", f"from {__name__} import main; main()"]
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(
            program, stdin=subprocess.PIPE, stderr=said, env=os.environ | _ENVIRONMENT, text=True
        ) as process,
    ):
        try:
            # An argument could be read by everybody on this machine.
            process.communicate(json.dumps(asked), timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            _wait(process, until)
        if process.returncode:
            said.seek(0)
            lines = said.read().strip().splitlines()
            last = lines[-1] if lines else "it said nothing"
            raise MakingError(f"the address book was not made: code {process.returncode}, {last}")


def _wait(process: "subprocess.Popen[str]", until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _MOST_S
    while process.poll() is None:
        if until() or time.monotonic() > deadline:
            process.kill()
        time.sleep(_LOOK_S)


def main() -> None:
    """Make the book that standard input asks for."""
    os.nice(_NICE)
    asked = json.loads(sys.stdin.read())
    folder, at = Path(asked["folder"]), datetime.fromisoformat(asked["at"])
    with Database.at(asked["url"], pooled=False).session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        make_book(session, load_places(session, asked["county"], at, folder), folder)
