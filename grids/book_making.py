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
from data.errands import ErrandError, Until
from gis.errors import OneGridError
from grids.book_file import alone, make_book
from grids.directory import load_places

__all__ = ["Apart", "MakingError", "by_program", "main", "make_apart", "make_asked"]

# Beside requests, which go first; and a heap that gives back what it does not need.
_NICE = 10
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
_MOST_S, _LOOK_S = 1200.0, 0.5
# Has `make_asked` done with a text by another process; raises an error with its reason.
Apart = Callable[[str, Until], None]


class MakingError(OneGridError):
    """The process that makes a book has failed."""


def by_program(asked: str, until: Until) -> None:
    """Have a book made by a program of its own.

    Raises
    ------
    MakingError
        If it fails, with the last line that it said, or is ended.
    """
    program = [sys.executable, "-c", f"from {__name__} import main; main()"]
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(
            program, stdin=subprocess.PIPE, stderr=said, env=os.environ | _ENVIRONMENT, text=True
        ) as process,
    ):
        try:
            # An argument could be read by everybody on this machine.
            process.communicate(asked, timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            _wait(process, until)
        if process.returncode:
            said.seek(0)
            lines = said.read().strip().splitlines()
            last = lines[-1] if lines else "it said nothing"
            raise MakingError(f"code {process.returncode}, {last}")


def make_apart(
    database: Database,
    county: str,
    at: datetime,
    folder: Path,
    *,
    until: Until,
    apart: Apart = by_program,
) -> None:
    """Make the book of a county as of a moment, by another process.

    Parameters
    ----------
    until : callable
        Asked all the while: once it is true nobody wants the book any more.
    apart : callable, optional
        How to have it done.

    Raises
    ------
    MakingError
        If it fails, with its reason, or is ended.
    """
    ends = time.monotonic() + _MOST_S
    url = database.engine.url.render_as_string(hide_password=False)
    asked = {"url": url, "county": county, "at": at.isoformat(), "folder": str(folder)}
    with alone(folder, county, until):
        if until():
            return
        try:
            apart(json.dumps(asked), lambda: until() or time.monotonic() > ends)
        except (ErrandError, MakingError) as error:
            raise MakingError(f"the address book was not made: {error}") from error


def make_asked(asked: str) -> None:
    """Make the book that a text asks for."""
    said = json.loads(asked)
    folder, at = Path(said["folder"]), datetime.fromisoformat(said["at"])
    with Database.at(said["url"], pooled=False).session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        make_book(session, load_places(session, said["county"], at, folder), folder)


def main() -> None:
    """Make the book that standard input asks for."""
    os.nice(_NICE)
    make_asked(sys.stdin.read())


def _wait(process: "subprocess.Popen[str]", until: Until) -> None:
    while process.poll() is None:
        if until():
            process.kill()
        time.sleep(_LOOK_S)
