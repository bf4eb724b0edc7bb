"""The suite's own throw-away cluster, a migrated template, and a fresh database per test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from data import migrate
from data.cluster import Cluster
from data.database import Database
from data.presets import seed_presets

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("ONEGRID_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-test-"))
    home.chmod(0o755)
    made = Cluster(home, durable=False)
    made.ensure_running()
    yield made
    made.destroy()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    database = create_database(cluster, "template_onegrid")
    migrate.upgrade(database.engine)
    with database.session() as session:
        seed_presets(session)
    database.engine.dispose()
    return "template_onegrid"


def create_database(cluster: Cluster, name: str, template: str = "template0") -> Database:
    admin = Database.at(cluster.url_of("postgres"))
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.engine.dispose()
    database = Database.at(cluster.url_of(name))
    if template == "template0":
        database.prepare()
    return database


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[Database]:
    made = create_database(cluster, "one_test", template)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the real data is not here: {SHARED} (set ONEGRID_SHARED_DATA)")
    return SHARED
