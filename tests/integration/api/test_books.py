"""The address book of a process: there before the first request, and for each known plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.books import Books
from data.database import Database
from data.errands import Until
from data.settings import DEMO_COUNTY, Settings
from grids.book_loading import book_version
from grids.book_making import make_asked
from grids.directory import load_directory
from tests.integration.api.test_health import within


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


def test_addresses_that_change_faster_than_a_book_is_made_leave_one(
    city: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that commits again and again took the book away that there was."""
    monkeypatch.setattr("api.books._LARGE", 1)
    change = text("UPDATE address SET text = text || '甲' WHERE id = (SELECT min(id) FROM address)")
    made, without = 0, 0

    def disturbed(asked: str, _: Until) -> None:
        nonlocal made, without
        make_asked(asked)
        made += 1
        without += made > 1 and not books.is_loaded
        if made < 4:
            with city.session() as session:
                session.execute(change)
            books.changed()

    with city.session() as session:
        places = load_directory(session, DEMO_COUNTY).places
    books = Books(DEMO_COUNTY, city, lambda _: places, tmp_path, disturbed)
    books.start()
    books.changed()
    assert within(lambda: made == 4, 60)
    with city.session() as session:
        version = book_version(session, DEMO_COUNTY)
        assert within(lambda: books.book(session, places).version == version)
    books.stop()
    assert (without, books.follower.state.failures) == (0, 0)
