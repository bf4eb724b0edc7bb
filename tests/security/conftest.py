"""Attacks: the web application over the demonstration city."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api import create_app
from data.database import Database
from data.settings import Settings
from tests.integration.conftest import onegrid

__all__ = ["onegrid"]


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city), raise_server_exceptions=False) as client:
        yield client
