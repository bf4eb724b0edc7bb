"""One database: its engine, its sessions, and opening it by the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from data.cluster import EXTENSIONS, Cluster
from data.connections import Pool, budget_of, needed_by
from data.database_url import conninfo_of, database_url
from data.errors import DatabaseError, UnansweredError
from data.log import LOG
from data.settings import Settings
from data.silence import Silence

__all__ = ["Database", "open_database", "private_cluster"]

_POSTGIS_MINIMUM = (3, 1)
# A host that says nothing is away, whether it is asked to connect, to answer, or nothing; libpq
# waits for minutes, or for ever.
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
# What names a database.
_SETTING, _OWNER = "ONEGRID_DATABASE_URL", "ONEGRID_OWNER_URL"
# Who looks into the private cluster beside the program.
_OTHERS = 20


_EXTENSIONS_SQL = "; ".join(f"CREATE EXTENSION {name}" for name in EXTENSIONS)


@dataclass(frozen=True, slots=True)
class Database:
    """A connected database.

    Attributes
    ----------
    engine : Engine
    silence : Silence
        Whether it has been found to say nothing; connections are refused then.
    setting : str
        Which setting names it: said where it does not answer.
    """

    engine: Engine
    silence: Silence
    setting: str = _SETTING

    @classmethod
    def at(
        cls,
        url: str,
        *,
        pooled: bool = True,
        pool: Pool | None = None,
        setting: str = _SETTING,
    ) -> "Database":
        """Connect lazily to an address (`database_url`); the driver is psycopg 3.

        A program that does one thing and ends needs no pool: `pooled` False closes each
        connection after its use.
        """
        address = database_url(url)
        address = address.update_query_dict({**_PATIENCE, **address.query})
        if not pooled:
            engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
            return cls.of(engine, setting)
        share = pool or Pool()
        return cls.of(
            create_engine(
                address,
                pool_pre_ping=True,
                pool_size=share.kept,
                max_overflow=share.spare,
                hide_parameters=True,
            ),
            setting,
        )

    @classmethod
    def of(cls, engine: Engine, setting: str = _SETTING) -> "Database":
        """The database of an engine that nobody has used yet."""
        return cls(_quiet(engine), Silence(engine), setting)

    def limit_locks(self, seconds: float) -> None:
        """Let nothing wait longer than this for what another transaction holds.

        A transaction that somebody has forgotten would keep everybody who comes by.
        """
        event.listen(self.engine, "connect", partial(_limit_locks, round(seconds * 1000)))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session that commits once at the end, or rolls back on any error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @property
    def conninfo(self) -> str:
        """Connection string of libpq, for programs beside SQLAlchemy."""
        return conninfo_of(self.engine)

    def prepare(self) -> None:
        """Check that PostGIS is there and new enough, creating the extensions where allowed.

        Raises
        ------
        DatabaseError
            If the server does not answer, is a pooler, or lacks an extension.
        """
        self.require_direct()
        try:
            with self.engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(20189)"))
                for name in EXTENSIONS:
                    connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {name}"))
                version = connection.execute(text("SELECT postgis_lib_version()")).scalar_one()
        except DBAPIError as error:
            raise DatabaseError(
                f"the database lacks an extension: {_first_line(error)}; install PostGIS on its "
                f"server, and as a superuser: {_EXTENSIONS_SQL}"
            ) from error
        if tuple(int(part) for part in version.split(".")[:2]) < _POSTGIS_MINIMUM:
            raise DatabaseError(f"PostGIS {version} is too old: 3.1 or newer is needed")

    def require_direct(self) -> None:
        """Check that the address is the database's own, not a pooler's (PgBouncer).

        Raises
        ------
        DatabaseError
            If it does not answer, or another process answers than the one that was greeted.
        """
        try:
            with self.engine.connect() as connection:
                answering = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                greeted = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]  # it is connected
        except DBAPIError as error:
            raise UnansweredError(
                f"the database does not answer: {_first_line(error)}; "
                f"check {self.setting} or run: onegrid db start"
            ) from error
        if answering != greeted:
            raise DatabaseError(
                f"the address of {self.setting} is that of a pooler such as PgBouncer, through "
                "which notices, prepared statements and session locks do not go: name the "
                "database's own address (the program keeps a pool itself)"
            )

    def is_empty(self) -> bool:
        """Whether the schema has not been made yet."""
        with self.engine.connect() as connection:
            return connection.execute(text("SELECT to_regclass('division')")).scalar() is None


def _quiet(engine: Engine) -> Engine:
    """Errors of the engine say what was wrong, never with which row: it may be where somebody is.

    What goes beyond PostgreSQL's first line (DETAIL, HINT, CONTEXT) quotes values.
    """
    event.listen(engine, "handle_error", _without_values)
    event.listen(engine, "connect", _HostTold().look)
    return engine


class _HostTold:
    """Tells when connections lead to another host than before, as after a failover."""

    def __init__(self) -> None:
        self._host = ""

    def look(self, connection: DBAPIConnection, _record: object) -> None:
        """Note where a new connection leads."""
        info = connection.info
        host, before = f"{info.host}:{info.port}", self._host
        self._host = host
        if before and before != host:
            LOG.warning("the database is on another host now", host=host, before=before)


def _limit_locks(milliseconds: int, connection: DBAPIConnection, _record: object) -> None:
    connection.execute(f"SET lock_timeout = {milliseconds}")
    connection.commit()


def _without_values(context: ExceptionContext) -> None:
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args and isinstance(error.args[0], str):
            error.args = (*error.args[0].splitlines()[:1], *error.args[1:])


def open_database(settings: Settings, *, pooled: bool = True, owner: bool = False) -> Database:
    """Open the configured database; starts the private cluster where no address is given.

    Parameters
    ----------
    owner : bool
        As the role that migrates; else as the one that serves, where there are two.
    """
    if settings.database_url is not None:
        budget = budget_of(settings)
        if owner and settings.owner_url is not None:
            return Database.at(settings.owner_url, pooled=pooled, pool=budget, setting=_OWNER)
        return Database.at(settings.database_url, pooled=pooled, pool=budget)
    cluster = private_cluster(settings)
    cluster.ensure_running()
    url = cluster.url if owner else cluster.serving_url
    return Database.at(url, pooled=pooled, pool=budget_of(settings))


def private_cluster(settings: Settings) -> Cluster:
    """The cluster of the state folder; it admits what the processes of the settings need."""
    needed = needed_by(settings.workers, budget_of(settings))
    return Cluster(settings.home, settings.cluster_port, connections=needed + _OTHERS)


def _first_line(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
