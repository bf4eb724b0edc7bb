"""The address of a database, as SQLAlchemy and libpq write it; both are taken, both are given.

With several hosts (a primary and its reserve) the two differ: ``postgresql://a:5432,b:5432/d`` and
``host=a,b port=5432,5432`` are libpq's, ``postgresql:///d?host=a:5432&host=b:5432`` SQLAlchemy's.
"""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from data.errors import DatabaseError

__all__ = ["conninfo_of", "database_url", "uri_of"]

_DRIVER = "postgresql+psycopg"
_NAMES = ("postgres", "postgresql", _DRIVER)
_UNREAD = (
    "the address of the database cannot be read: write postgresql://user:password@host:port/name, "
    "several hosts separated by commas, and %-escapes for signs in the password"
)


def database_url(address: str) -> URL:
    """Where SQLAlchemy shall connect.

    Parameters
    ----------
    address : str
        ``postgresql://…`` as SQLAlchemy or libpq writes it, or libpq's ``keyword=value`` pairs.

    Raises
    ------
    DatabaseError
        If it is neither. The address is not quoted: it may hold a password.
    """
    if not address.strip():
        raise DatabaseError(_UNREAD)
    try:
        if "://" not in address or "," in urlsplit(address).netloc:
            return _of_libpq(address)
        url = make_url(address)
        if url.drivername in _NAMES:
            url = url.set(drivername=_DRIVER)
            _told(url)
            return url
    except (ArgumentError, ValueError, psycopg.ProgrammingError):
        raise DatabaseError(_UNREAD) from None
    raise DatabaseError(f"{url.drivername} is no database of OneGrid: it needs postgresql://")


def conninfo_of(engine: Engine) -> str:
    """The connection string of libpq, for programs beside SQLAlchemy: same hosts and options."""
    return make_conninfo(**_told(engine.url))


def uri_of(engine: Engine) -> str:
    """The address as psql and everybody else reads it, its password too."""
    told = {name: str(value) for name, value in _told(engine.url).items() if value is not None}
    who, password = quote(told.pop("user", ""), safe=""), quote(told.pop("password", ""), safe="")
    before = (f"{who}:{password}@" if password else f"{who}@") if who else ""
    database = quote(told.pop("dbname", ""), safe="")
    return f"postgresql://{before}/{database}?{urlencode(told, quote_via=quote)}"


def _told(url: URL) -> dict[str, Any]:
    """What the driver is told of an address."""
    _, told = url.get_dialect()().create_connect_args(url)
    return {name: said for name, said in told.items() if name != "context"}


def _of_libpq(address: str) -> URL:
    said = conninfo_to_dict(address.replace(f"{_DRIVER}://", "postgresql://", 1))
    told = {name: str(value) for name, value in said.items() if value is not None}
    return URL.create(
        _DRIVER,
        username=told.pop("user", None),
        password=told.pop("password", None),
        database=told.pop("dbname", None),
        query=told,
    )
