"""The directory of a process: renewed when it is told, trusted while it is, atomic."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api.engines import Engines
from data.database import Database
from data.errors import StateError
from data.importing import import_addresses
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings
from grids.directory import directory_version, load_directory
from grids.plan import draw_draft
from grids.publishing import publish
from grids.who import Directory

PLACE = (122.31, 43.575)


def engines_of(city_settings: Settings, city: Database, home: Path) -> Engines:
    return Engines(city_settings.model_copy(update={"home": home}), city)


@pytest.fixture
def two(city_settings: Settings, city: Database, tmp_path: Path) -> Iterator[list[Engines]]:
    """As two processes of one server."""
    held = [engines_of(city_settings, city, tmp_path) for _ in range(2)]
    for one in held:
        one.start()
    yield held
    for one in held:
        one.stop()


def within(check, seconds: float = 20.0) -> bool:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def redraw(city: Database) -> None:
    with city.session() as session:
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=5, author="t"))


def codes(directory: Directory) -> set[str]:
    return {grid.code for grid in directory.places.facts.values()}


def test_a_publication_is_swapped_in_whole_in_every_process(
    two: list[Engines], city: Database
) -> None:
    assert within(lambda: all(one.ready() for one in two))
    before = [codes(one.ready()) for one in two]  # type: ignore[arg-type]
    seen: list[set[str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for one in two:
                if (held := one.ready()) is not None:
                    answer = held.answer(*PLACE)
                    assert answer.grid is not None
                    assert answer.grid.code in codes(held)
                    seen.append({answer.grid.code})
            time.sleep(0.001)

    asking = threading.Thread(target=ask)
    asking.start()
    redraw(city)
    with city.session() as session:
        after = codes(load_directory(session, COUNTY))
    told = within(lambda: all((d := one.ready()) and codes(d) == after for one in two))
    stop.set()
    asking.join()
    assert told
    assert before[0] == before[1] != after
    assert len(seen) > 10


def test_leave_and_responsibilities_reach_the_next_answer(
    two: list[Engines], city: Database
) -> None:
    assert within(lambda: all(one.ready() for one in two))
    first = two[0].ready()
    assert first is not None
    worker = first.answer(*PLACE).first("gridworker")
    assert worker is not None
    with city.session() as session:
        session.execute(
            text(
                "INSERT INTO leave (county, person_id, valid) "
                "VALUES (:c, :p, tstzrange(now() - interval '1 hour', NULL))"
            ),
            {"c": COUNTY, "p": worker.person_id},
        )

    def away() -> bool:
        held = [one.ready() for one in two]
        return all(d is not None and d.answer(*PLACE).first("gridworker") != worker for d in held)

    assert within(away)
    renewed = two[0].ready()
    assert renewed is not None
    assert renewed.places is first.places, "what has not changed is kept"


def test_a_redraw_of_a_few_grids_touches_only_these(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        held = directory.places.grids
        new = session.execute(
            text(
                "WITH old AS (UPDATE grid SET valid = tstzrange(lower(valid), now()) WHERE code = "
                "(SELECT min(code) FROM grid WHERE upper_inf(valid)) RETURNING *) "
                "INSERT INTO grid (county, generation_id, code, name, kind, community, "
                "households, valid, geom) SELECT county, generation_id, community || '900', name, "
                "kind, community, households, tstzrange(now(), NULL), geom FROM old RETURNING code"
            )
        ).scalar_one()
        session.flush()
        version = directory_version(session, COUNTY, datetime.now(UTC))
        stale = replace(version, ground="before")
        again = load_directory(session, COUNTY, held=(stale, directory))
        fresh = load_directory(session, COUNTY)
        points = session.execute(
            text(
                "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
                "WHERE upper_inf(valid)) AS inside"
            )
        ).all()
    assert again.places.grids is not held
    assert again.staff is directory.staff
    assert len(again.places.grids.locator) == len(held.locator), "drawn in place"
    assert new in codes(again)
    for lon, lat in points:
        assert again.places.where(lon, lat).grid == fresh.places.where(lon, lat).grid
    assert {one.code for one in again.places._candidates(*PLACE, 5000.0)} == codes(fresh)


def test_an_answer_as_of_then_is_that_of_then(
    city_settings: Settings, city: Database, tmp_path: Path
) -> None:
    engines = engines_of(city_settings, city, tmp_path)
    with city.session() as session:
        before = engines.directory(session)
        old = before.answer(*PLACE)
    redraw(city)
    with city.session() as session:
        begins = engines.directory(session).places.begins
        then = engines.directory(session, begins - timedelta(seconds=1))
        assert engines.directory(session, begins - timedelta(seconds=1)) is then, "kept"
        assert engines.directory(session).places.begins == begins
        again = then.answer(*PLACE, at=begins - timedelta(seconds=1))
        with pytest.raises(StateError, match="no published plan"):
            engines.directory(session, before.places.begins - timedelta(days=1))
    assert again.grid == old.grid
    assert again.people == old.people


def test_locators_are_mapped_from_files_that_another_process_wrote(
    city_settings: Settings, city: Database, tmp_path: Path
) -> None:
    first = engines_of(city_settings, city, tmp_path).refreshed()
    files = sorted((tmp_path / "locators").iterdir())
    assert len(files) == 2
    times = [path.stat().st_mtime_ns for path in files]
    second = engines_of(city_settings, city, tmp_path).refreshed()
    assert [path.stat().st_mtime_ns for path in files] == times
    assert second.answer(*PLACE).where == first.answer(*PLACE).where
    files[0].unlink()  # the first has it mapped still
    files[0].write_bytes(b"cut off")
    third = engines_of(city_settings, city, tmp_path).refreshed()
    assert third.answer(*PLACE).where == first.answer(*PLACE).where


def test_without_a_listener_each_request_asks(
    city_settings: Settings, city: Database, tmp_path: Path
) -> None:
    engines = engines_of(city_settings, city, tmp_path)
    held = engines.refreshed()
    assert engines.ready() is None
    assert engines.refreshed() is held
    redraw(city)
    assert engines.refreshed() is not held


def test_a_lost_connection_is_taken_up_again(two: list[Engines], city: Database) -> None:
    assert within(lambda: all(one.ready() for one in two))
    with city.session() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                "'LISTEN directory%' AND datname = current_database()"
            )
        )
    assert within(lambda: not all(one.ready() for one in two))
    with city.session() as session:
        session.execute(text("UPDATE person SET name = '新名' WHERE role = 'gridworker'"))

    def renamed() -> bool:
        held = [one.ready() for one in two]
        return all(
            d is not None and getattr(d.answer(*PLACE).first("gridworker"), "name", "") == "新名"
            for d in held
        )

    assert within(renamed)


def certain(engines: Engines, typed: str) -> bool:
    held = engines.ready_book()
    return held is not None and held[1].look_up(typed).is_certain


def test_imported_addresses_reach_the_book_of_every_process(
    two: list[Engines], city: Database, tmp_path: Path
) -> None:
    assert within(lambda: all(one.ready_book() for one in two))
    assert not any(certain(one, "新建路9号") for one in two)
    file = tmp_path / "more.csv"
    file.write_text("编号,地址,经度,纬度\nN1,春水市新建路9号,122.31,43.575\n", encoding="utf-8")
    with city.session() as session:
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
    assert within(lambda: all(certain(one, "新建路9号") for one in two))


def test_an_address_is_answered_with_the_plan_of_now(two: list[Engines], city: Database) -> None:
    assert within(lambda: all(one.ready_book() for one in two))
    redraw(city)
    with city.session() as session:
        for one in two:
            directory, book = one.directory(session), one.book(session)
            assert book.places is directory.places
            found = book.look_up(book.table.text(0))
            assert set(found.areas) <= set(directory.places.facts)
    assert within(lambda: all((held := one.ready_book()) and held[1].is_measured for one in two))


def test_a_restored_database_that_goes_another_way_is_another(
    city_settings: Settings, city: Database, tmp_path: Path
) -> None:
    """As many changes as there were before are not the same changes."""
    engines = engines_of(city_settings, city, tmp_path)
    counters = text("SELECT ground, staff FROM directory_version WHERE county = :county")
    change = text("UPDATE person SET name = :name WHERE id = (SELECT min(id) FROM person)")
    back = text("UPDATE directory_version SET staff = :staff WHERE county = :county")

    def named(name: str) -> bool:
        with city.session() as session:
            people = engines.directory(session).staff.people
            return name in {one.name for one in people.values()}

    def changed(name: str) -> tuple[int, int]:
        with city.session() as session:
            session.execute(change, {"name": name})
        with city.session() as session:
            return tuple(session.execute(counters, {"county": COUNTY}).one())

    ground, staff = changed("甲")
    assert named("甲")
    with city.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE directory_version DISABLE TRIGGER USER")
        connection.execute(back, {"staff": staff - 1, "county": COUNTY})
        connection.exec_driver_sql("ALTER TABLE directory_version ENABLE TRIGGER USER")
    assert changed("乙") == (ground, staff)
    assert named("乙")
