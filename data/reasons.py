"""Why something failed, as it may stand in a log: without what was being worked on.

What an error says may quote anything: a name, a telephone, where somebody is. Kept are its kind
and the places in the code; only an error that says that something is away is told in its own words.
"""

import textwrap
import traceback
from pathlib import Path

import psycopg
from procrastinate.exceptions import ConnectorException
from sqlalchemy import exc

from data.errors import ClusterError, UnansweredError

__all__ = ["UNREACHABLE", "is_away", "is_locked", "place_of", "reason_of"]

_ROOT = Path(__file__).parents[1]
# How SQLAlchemy says that the database, the way to it, or a connection of the pool is not there.
UNREACHABLE = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
_AWAY = (
    *UNREACHABLE,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    UnansweredError,
    ClusterError,
)
_MOST_FRAMES, _LONGEST = 4, 300


def _behind(error: BaseException) -> BaseException:
    """What the queue's own error stands for."""
    return (error.__cause__ or error) if isinstance(error, ConnectorException) else error


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database does not answer, and nothing of what it was asked."""
    error = _behind(error)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, _AWAY) and not is_locked(error)


def is_locked(error: BaseException) -> bool:
    """Whether an error says that another transaction held for too long what was needed."""
    error = _behind(error)
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(cause, psycopg.errors.LockNotAvailable)


def reason_of(error: BaseException) -> str:
    """An error in a few words: its kind, and where it arose or what does not answer.

    Examples
    --------
    >>> reason_of(ConnectionRefusedError(111, "Connection refused"))
    'ConnectionRefusedError: Connection refused'
    >>> reason_of(ValueError("Zhang San, 13912345678"))
    'ValueError'
    """
    error = _behind(error)
    kind = type(error).__name__
    if is_away(error):
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        lines = str(cause).strip().splitlines()
        return (
            textwrap.shorten(f"{kind}: {lines[0]}", _LONGEST, placeholder=" …") if lines else kind
        )
    if isinstance(error, OSError):
        # Of a file that was named by somebody its name is not told.
        said = getattr(error, "code", None) or error.strerror
        return f"{kind}: {said}" if said else kind
    if isinstance(error, exc.DBAPIError) and (state := getattr(error.orig, "sqlstate", None)):
        kind = f"{kind} {state}"
    place = place_of(error)
    return f"{kind} at {place}" if place else kind


def place_of(error: BaseException) -> str:
    """Where an error arose: the last steps through our own code, and the last of all."""
    frames = [
        f"{_short(frame.filename)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if not frame.startswith("~")][-_MOST_FRAMES:]
    if frames and frames[-1] not in own:
        own.append(frames[-1])
    return " > ".join(one.removeprefix("~") for one in own)


def _short(name: str) -> str:
    """A file of ours from the project's folder on; any other as ``~package/module.py``."""
    path = Path(name)
    if path.is_relative_to(_ROOT) and ".venv" not in path.parts:
        return str(path.relative_to(_ROOT))
    return "~" + "/".join(path.parts[-2:])
