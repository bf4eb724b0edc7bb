"""Addresses of databases as SQLAlchemy and as libpq write them lead to the same place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, create_engine

from data.database import Database
from data.database_url import conninfo_of, database_url, uri_of
from data.errors import DatabaseError

TWO = {"host": "a,b", "port": "5432,5433", "user": "u", "dbname": "d"}


def parts(address: str) -> dict[str, object]:
    return conninfo_to_dict(conninfo_of(create_engine(database_url(address))))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u@a:5432,b:5433/d",
        "postgresql+psycopg://u@a:5432,b:5433/d",
        "postgresql://u@/d?host=a:5432&host=b:5433",
        "postgres://u@/d?host=a,b&port=5432,5433",
        "host=a,b port=5432,5433 user=u dbname=d",
    ],
)
def test_several_hosts_are_the_same_for_both(address: str) -> None:
    assert parts(address) == TWO


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://h/d?sslmode=require", {"host": "h", "dbname": "d", "sslmode": "require"}),
        ("postgresql:///d?host=/run/x", {"host": "/run/x", "dbname": "d"}),
        ("postgresql://[::1]:5/d", {"host": "::1", "port": "5", "dbname": "d"}),
        ("postgresql://[::1]:5,[::2]:6/d", {"host": "::1,::2", "port": "5,6", "dbname": "d"}),
        ("postgresql://h/d?options=-c%20a%3Db", {"host": "h", "dbname": "d", "options": "-c a=b"}),
        (
            "postgresql://a:1,b:2/d?target_session_attrs=read-write",
            {"host": "a,b", "port": "1,2", "dbname": "d", "target_session_attrs": "read-write"},
        ),
    ],
)
def test_options_reach_whoever_listens_too(address: str, said: dict[str, str]) -> None:
    assert parts(address) == said


@pytest.mark.parametrize(
    "address", ["postgresql://u:p%40x@a:1,b:2/d%20e?sslmode=require", "host=/run/x dbname=d user=u"]
)
def test_an_address_is_told_as_it_can_be_read(address: str) -> None:
    told = uri_of(Database.at(address).engine)
    assert parts(address).items() <= parts(told).items()
    assert parts(told)["connect_timeout"] == "10"
    assert conninfo_to_dict(told) == parts(told), "psql reads it alike"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_password_survives(password: str) -> None:
    url = URL.create("postgresql", "u", password, "h", 5, "d")
    address = url.render_as_string(hide_password=False)
    assert parts(address)["password"] == password
    several = address.replace("@h:5/", "@h:5,g:6/")
    assert parts(several)["password"] == password


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "mysql://u:secret@x/y",
        "nonsense",
        "postgresql://u:secret@h:port/d",
        "password=secret a=b",
        "postgresql://u:secret@/d?host=a&host=b&port=5432&port=5433",
        "sqlite://",
    ],
)
def test_what_is_no_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(DatabaseError, match="postgresql://") as refused:
        database_url(address)
    assert "secret" not in str(refused.value)
