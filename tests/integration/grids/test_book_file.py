"""A book's file: it answers as the book does, is made once, and follows what it was made of."""

from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from sqlalchemy import text

from data.database import Database
from data.settings import DEMO_COUNTY
from grids.address_book import AddressBook
from grids.book_file import kept_book, latest_book, make_book
from grids.book_loading import book_version, load_book
from grids.book_making import MakingError, make_apart
from grids.directory import load_directory, load_places
from grids.places import Places
from grids.plan import draw_draft
from grids.publishing import publish

COUNTY = DEMO_COUNTY
TYPED = (
    "春晖花园3号楼",
    "春晖",
    "chunhui huayuan",
    "滨江北街1号",
    "不存在的街9号",
    "春辉花园三号楼2单元",
)


def kept(database: Database, folder: Path) -> AddressBook | None:
    with database.session() as session:
        return kept_book(folder, book_version(session, COUNTY), places_of(database))


def places_of(database: Database) -> Places:
    with database.session() as session:
        return load_directory(session, COUNTY).places


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.addresses")}


def test_a_mapped_book_answers_as_one_that_was_loaded(city: Database, tmp_path: Path) -> None:
    assert kept(city, tmp_path) is None
    with city.session() as session:
        places = load_places(session, COUNTY, datetime.now(UTC))
        make_book(session, places, tmp_path)
        loaded = load_book(session, places)
    mapped = kept(city, tmp_path)
    assert mapped is not None
    assert not mapped.lon.flags.writeable
    for name in ("ids", "lon", "lat"):
        np.testing.assert_array_equal(getattr(mapped, name), getattr(loaded, name))
    np.testing.assert_array_equal(mapped.areas.first, loaded.areas.first)
    assert (mapped.areas.more, dict(mapped.straddling)) == (loaded.areas.more, loaded.straddling)
    rows = range(0, len(loaded.table), 7)
    for typed in (*TYPED, *(loaded.table.text(row) for row in rows)):
        ours, theirs = mapped.look_up(typed), loaded.look_up(typed)
        assert (ours.rows.tolist(), ours.areas) == (theirs.rows.tolist(), theirs.areas)
        assert (ours.options, ours.readings) == (theirs.options, theirs.readings)


def test_a_book_is_made_anew_when_what_it_is_made_of_changes(
    city: Database, tmp_path: Path
) -> None:
    changes = (
        "UPDATE address SET text = text || '甲' WHERE id = (SELECT min(id) FROM address)",
        """INSERT INTO place_alias (county, source_ref, alias, name)
        VALUES (:c, 'x', '老院', '春晖花园')""",
        """UPDATE building SET geom = ST_Translate(geom, 1e-5, 0)
        WHERE id = (SELECT min(building_id) FROM address)""",
        "DELETE FROM address WHERE id = (SELECT max(id) FROM address)",
    )
    seen: set[str] = set()
    for change in (None, *changes):
        if change is not None:
            with city.session() as session:
                session.execute(text(change), {"c": COUNTY} if ":c" in change else {})
        assert kept(city, tmp_path) is None, change
        with city.session() as session:
            make_book(session, places_of(city), tmp_path)
        assert kept(city, tmp_path) is not None
        assert len(files(tmp_path)) == 1, "those before it are dropped"
        assert not files(tmp_path) & seen
        seen |= files(tmp_path)
    with city.session() as session:
        session.execute(text("UPDATE building SET households = households + 1"))
    assert kept(city, tmp_path) is not None, "no footprint has changed"


def test_a_damaged_file_is_made_again(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        make_book(session, places_of(city), tmp_path)
    (name,) = files(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-2000])
    assert kept(city, tmp_path) is None
    with city.session() as session:
        make_book(session, places_of(city), tmp_path)
    assert kept(city, tmp_path) is not None


def test_processes_that_make_one_at_once_make_one(city: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def make() -> None:
        make_apart(city, COUNTY, now, tmp_path, until=lambda: False)

    makers = [Thread(target=make) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(timeout=120)
    assert len(files(tmp_path)) == 1
    assert kept(city, tmp_path) is not None


def test_a_book_that_cannot_be_made_says_why(city: Database, tmp_path: Path) -> None:
    with pytest.raises(MakingError, match="no published plan"):
        make_apart(city, COUNTY, datetime(2001, 1, 1, tzinfo=UTC), tmp_path, until=lambda: False)
    asked = iter([False, False])
    with pytest.raises(MakingError, match="code -9"):
        make_apart(city, COUNTY, datetime.now(UTC), tmp_path, until=lambda: next(asked, True))


def test_a_file_of_another_book_is_not_taken_for_it(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        make_book(session, places_of(city), tmp_path)
    (before,) = files(tmp_path)
    other = (tmp_path / before).read_bytes()
    with city.session() as session:
        session.execute(text("DELETE FROM address WHERE id = (SELECT max(id) FROM address)"))
    with city.session() as session:
        make_book(session, places_of(city), tmp_path)
    (now,) = files(tmp_path)
    (tmp_path / now).write_bytes(other)
    assert kept(city, tmp_path) is None
    assert files(tmp_path) == set()


def test_a_kept_locator_is_of_the_shapes_that_there_are(city: Database, tmp_path: Path) -> None:
    """A backup was restored and went another way: the same ids and codes, other shapes."""
    swap = text(
        "UPDATE grid SET geom = other.geom FROM grid AS other WHERE (grid.code, other.code) IN "
        "((:one, :two), (:two, :one)) AND upper_inf(grid.valid) AND upper_inf(other.valid)"
    )
    with city.session() as session:
        load_places(session, COUNTY, datetime.now(UTC), tmp_path)
        codes = session.scalars(
            text("SELECT code FROM grid WHERE upper_inf(valid) ORDER BY code LIMIT 2")
        ).all()
        session.execute(swap, {"one": codes[0], "two": codes[1]})
    with city.session() as session:
        kept_places = load_places(session, COUNTY, datetime.now(UTC), tmp_path)
        inside = session.execute(
            text(
                "SELECT code, ST_X(p) AS lon, ST_Y(p) AS lat FROM (SELECT code, "
                "ST_PointOnSurface(geom) AS p FROM grid WHERE upper_inf(valid)) AS g"
            )
        ).all()
    assert [
        one for one in inside if kept_places.where(one.lon, one.lat).grid.code != one.code
    ] == []


def test_a_book_of_a_moment_ago_is_taken_where_addresses_change_faster(
    city: Database, tmp_path: Path
) -> None:
    assert latest_book(tmp_path, places_of(city)) is None
    with city.session() as session:
        make_book(session, places_of(city), tmp_path)
        version = book_version(session, COUNTY)
        session.execute(text("DELETE FROM address WHERE id = (SELECT max(id) FROM address)"))
    assert kept(city, tmp_path) is None
    latest = latest_book(tmp_path, places_of(city))
    assert latest is not None
    assert latest.version == version
    with city.session() as session:
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=7, author="t"))
    assert latest_book(tmp_path, places_of(city)) is None, "of another plan"
