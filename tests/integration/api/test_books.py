"""The address book of a process: there before the first request, and for each known plan."""

from dataclasses import replace
from pathlib import Path

from fastapi.testclient import TestClient

from api.app import create_app
from api.books import Books
from data.database import Database
from data.settings import DEMO_COUNTY, Settings


def test_a_process_takes_requests_once_it_has_plan_and_addresses(
    city: Database, city_settings: Settings
) -> None:
    app = create_app(city_settings, city)
    with TestClient(app):
        assert app.state.engines.ready_book() is not None


def test_a_plan_that_is_known_when_the_database_goes_has_its_addresses(
    city: Database, city_settings: Settings, tmp_path: Path
) -> None:
    app = create_app(city_settings, city)
    with TestClient(app), city.session() as session:
        places = app.state.engines.directory(session).places
        books = Books(DEMO_COUNTY, city, lambda _: places, tmp_path)
        assert books.remembered(places) is None
        book = books.book(session, places)
    assert books.remembered(places) is book
    # Another plan is known, and nobody can be asked any more.
    later = replace(places)
    renewed = books.remembered(later)
    assert renewed is not None
    assert renewed.places is later
    assert renewed.table.columns.texts.equals(book.table.columns.texts)
    assert books.remembered(later) is renewed
