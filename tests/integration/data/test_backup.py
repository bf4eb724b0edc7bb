import os
from pathlib import Path

import pytest
from sqlalchemy import text

from data.backup import backup, restore
from data.cluster import SERVING_ROLE, Cluster
from data.database import Database
from data.errors import DatabaseError
from data.models import Base
from data.serving_role import grant_serving
from tests.conftest import as_owner, create_database


def owned_database(cluster: Cluster, name: str) -> Database:
    """An empty database, as its owner."""
    create_database(cluster, name).engine.dispose()
    return as_owner(cluster, name)


def fingerprint(database: Database) -> dict[str, tuple[int, str]]:
    """Rows of each table, and a checksum over every column (geometries by their WKB)."""
    found = {}
    with database.engine.connect() as connection:
        for name in sorted(Base.metadata.tables):
            lines = "md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
            query = f'SELECT count(*), {lines} FROM "{name}" AS t'
            found[name] = tuple(connection.execute(text(query)).one())
    return found


def test_a_restored_backup_is_the_same_to_the_last_vertex(
    city: Database, cluster: Cluster, tmp_path: Path
) -> None:
    before = fingerprint(city)
    assert sum(count for count, _ in before.values()) > 5000
    backup(city, tmp_path / "city.dump", tmp_path / "home")
    elsewhere = owned_database(cluster, "restored")
    restore(elsewhere, tmp_path / "city.dump", tmp_path / "home")
    assert fingerprint(elsewhere) == before
    with elsewhere.engine.begin() as connection:
        connection.execute(text("UPDATE building SET name = NULL"))
    restore(elsewhere, tmp_path / "city.dump", tmp_path / "home")
    assert fingerprint(elsewhere) == before
    elsewhere.engine.dispose()


def test_a_large_object_of_whoever_serves_stops_no_backup(
    city: Database, cluster: Cluster, tmp_path: Path
) -> None:
    grant_serving(city.engine, SERVING_ROLE)
    name = str(city.engine.url.database)
    serving = Database.at(cluster.url_of(name, role=SERVING_ROLE))
    with serving.session() as session:
        session.execute(text("SELECT lo_from_bytea(0, 'x')"))
    serving.engine.dispose()
    owner = as_owner(cluster, name)
    backup(owner, tmp_path / "city.tar", tmp_path / "home")
    owner.engine.dispose()


def test_a_backup_is_nobody_elses_file(city: Database, tmp_path: Path) -> None:
    """In a folder of all, whoever had made its file before it was written read it all."""
    with (tmp_path / "city.tar.part").open("w") as mine, (tmp_path / "city.tar").open("w") as other:
        backup(city, tmp_path / "city.tar", tmp_path / "home")
        assert (mine.tell(), other.tell()) == (0, 0)
        assert [os.fstat(one.fileno()).st_size for one in (mine, other)] == [0, 0]
    assert (tmp_path / "city.tar").stat().st_size > 100_000
    assert {path.name for path in tmp_path.iterdir()} <= {"city.tar", "city.tar.part", "home"}


def test_a_broken_backup_changes_nothing(city: Database, tmp_path: Path) -> None:
    before = fingerprint(city)
    (tmp_path / "broken.dump").write_bytes(b"PGDMP and then nonsense")
    with pytest.raises(DatabaseError, match="pg_restore"):
        restore(city, tmp_path / "broken.dump", tmp_path / "home")
    with pytest.raises(DatabaseError, match="no backup file"):
        restore(city, tmp_path / "none.dump", tmp_path / "home")
    assert fingerprint(city) == before


def test_a_failed_backup_leaves_no_half_file(tmp_path: Path) -> None:
    nowhere = Database.at("postgresql://onegrid@127.0.0.1:1/onegrid")
    with pytest.raises(DatabaseError, match="pg_dump"):
        backup(nowhere, tmp_path / "city.dump", tmp_path / "home")
    assert list(tmp_path.iterdir()) == []
