"""Attacks, each with what it needs of the demonstration city."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from data.database import Database
from data.settings import DEMO_COUNTY, Settings
from tests.conftest import Furnished
from tests.integration.conftest import onegrid
from tests.served import Served

__all__ = ["onegrid"]


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


@pytest.fixture
def served(cluster, furnished: Furnished) -> Iterator[Served]:
    """The city, served by a process of its own: streams never end within this one."""
    database = furnished.city(cluster, "attacked_city")
    process = Served(database, furnished.home, DEMO_COUNTY)
    process.start()
    yield process
    process.stop()
