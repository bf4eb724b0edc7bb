"""Schema migrations: forward, backward, and where a database stands."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from data.errors import DatabaseError

__all__ = ["configuration", "current_revision", "downgrade", "head_revision", "upgrade"]


def configuration() -> Config:
    """Alembic's configuration, made in code: there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def head_revision() -> str:
    """Newest revision that this version of the program knows."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def current_revision(engine: Engine) -> str | None:
    """Revision that the database stands at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate forward, in one transaction.

    Raises
    ------
    DatabaseError
        If the role may not make tables.
    """
    try:
        _upgrade(engine, revision)
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        said = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(
            f"the role may not bring the schema up to date: {said}; let it own the database, or "
            "name its owner's address in ONEGRID_OWNER_URL"
        ) from error


def _upgrade(engine: Engine, revision: str) -> None:
    config = configuration()
    with engine.begin() as connection:
        # Two programs that start at once migrate one after the other.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20190)")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Migrate backward, in one transaction."""
    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
