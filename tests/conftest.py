"""The suite's own throw-away cluster, a migrated template, and a fresh database per test."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.demo import furnish
from data import migrate
from data.cluster import EXTENSIONS, Cluster
from data.cluster_owner import OWNER_ROLE, give_to_owner
from data.database import Database
from data.positions import place_demo_staff
from data.presets import seed_presets
from data.settings import DEMO_COUNTY, Settings

ROOT = Path(__file__).parents[1]
# The suite's client reaches a server of this machine, where the demonstration's logins are open.
TestClient.__init__.__defaults__ = ("http://localhost", *TestClient.__init__.__defaults__[1:])
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")
SHARED = Path(os.environ.get("ONEGRID_SHARED_DATA", ROOT.parent / "shared" / "data"))


_MARKER_OF_FOLDER = {
    "unit": "unit",
    "integration": "db",
    "security": "db",
    "migration": "db",
    "browser": "browser",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder; doctests are unit tests."""
    for item in items:
        parts = item.path.relative_to(ROOT).parts
        folder = parts[1] if parts[0] == "tests" and len(parts) > 2 else "unit"
        item.add_marker(_MARKER_OF_FOLDER[folder])


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


def free_port() -> int:
    """A port that nobody listens on now: suites may run side by side."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def as_owner(cluster: Cluster, name: str) -> Database:
    """A database of the suite, given to the owner who is no superuser, and opened as that role."""
    address = cluster.url_of(name).replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        give_to_owner(connection, EXTENSIONS)
    return Database.at(cluster.url_of(name, role=OWNER_ROLE))


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


@dataclass(frozen=True)
class Furnished:
    """The demonstration city: a template database and the state folder beside it."""

    template: str
    home: Path

    def city(self, cluster: Cluster, name: str) -> Database:
        """A copy of it whose staff were seen just now: positions grow stale while a suite runs."""
        made = create_database(cluster, name, self.template)
        with made.session() as session:
            place_demo_staff(session, DEMO_COUNTY, seed=1)
        return made


@pytest.fixture(scope="session")
def furnished(cluster: Cluster, template: str) -> Iterator[Furnished]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-city-"))
    database = create_database(cluster, "template_city", template)
    assert furnish(database, home)
    database.engine.dispose()
    yield Furnished("template_city", home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def city(cluster: Cluster, furnished: Furnished) -> Iterator[Database]:
    # The heads that the home keeps are those of another test's database.
    shutil.rmtree(furnished.home / "audit", ignore_errors=True)
    made = furnished.city(cluster, "one_city")
    yield made
    made.engine.dispose()


@pytest.fixture
def city_settings(furnished: Furnished, city: Database) -> Settings:
    # The suite asks for more than a stranger may.
    often = "100000 per minute"
    return Settings(
        home=furnished.home,
        database_url=city.engine.url.render_as_string(),
        public_url="http://localhost",
        cards_free=often,
        cards_most=often,
        cards_range=often,
        suggestions_most=often,
    )
