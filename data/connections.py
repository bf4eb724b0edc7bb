"""How many connections to the database the processes of this machine may hold together.

The server admits so many and no more; who comes later is refused, be it the program, its operator
or a backup. So each process has a share of a budget, and the budget is compared with the server's
limit before the first of them answers.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from data.errors import StateError
from data.settings import Settings

__all__ = ["Pool", "budget_of", "needed_by", "require_room"]

# Listeners of a web process, and what tells others who is there.
_LISTENING = 4
# The clock and the worker of files with their pools, and some commands beside them.
_BESIDE = 20
# With fewer, requests wait for each other rather than for the database.
_LEAST = 6
_LIMIT = text(
    "SELECT least(current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0),"
    " nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1),"
    " nullif((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1))"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections of one process.

    Attributes
    ----------
    kept : int
        For requests: more than these only wait for each other in the database.
    spare : int
        Opened for what does not wait behind requests.
    """

    kept: int = 12
    spare: int = 8

    @property
    def most(self) -> int:
        """All of them."""
        return self.kept + self.spare


def budget_of(settings: Settings) -> Pool:
    """The share of one process of the web server.

    Raises
    ------
    StateError
        If the budget of the settings is too small for so many processes.
    """
    wished = Pool()
    if settings.connections is None:
        return wished
    most = (settings.connections - _BESIDE) // settings.workers - _LISTENING
    if most < _LEAST:
        least = needed_by(settings.workers, Pool(_LEAST, 0))
        raise StateError(
            f"ONEGRID_CONNECTIONS={settings.connections} is too little for "
            f"{settings.workers} processes: they need {least}"
        )
    if most >= wished.most:
        return wished
    kept = -(-most * wished.kept // wished.most)
    return Pool(kept, most - kept)


def needed_by(workers: int, pool: Pool) -> int:
    """Connections that so many web processes with such a pool, and all beside them, may hold."""
    return workers * (pool.most + _LISTENING) + _BESIDE


def require_room(settings: Settings, engine: Engine) -> None:
    """Check that the server admits as many connections as the processes may hold.

    Raises
    ------
    StateError
        If it does not.
    """
    needed = needed_by(settings.workers, budget_of(settings))
    with engine.connect() as connection:
        admitted = int(connection.execute(_LIMIT).scalar_one())
    if needed > admitted:
        raise StateError(
            f"the database admits {admitted} connections and {needed} may be needed: raise its "
            "max_connections (or the limit of the role or database), lower ONEGRID_WORKERS, or set "
            f"ONEGRID_CONNECTIONS to at most {admitted}"
        )
