"""Known addresses and their grids, against PostGIS; buildings that several grids share."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from data.database import Database
from data.importing import import_addresses, import_aliases, import_memberships
from data.settings import DEMO_COUNTY as COUNTY
from grids.address_book import AddressBook, renewed_book
from grids.book_loading import book_version, load_book
from grids.card import card_of_address
from grids.directory import directory_version, load_directory
from grids.plan import draw_draft
from grids.publishing import publish
from tests.invariants import known_grids


def book_of(city: Database, county: str = COUNTY) -> AddressBook:
    with city.session() as session:
        return load_book(session, load_directory(session, county).places)


def codes(book: AddressBook, typed: str) -> tuple[bool, list[str]]:
    found = book.look_up(typed)
    facts = book.places.facts
    return found.is_certain, sorted(facts[one].code for one in found.areas if one >= 0)


def test_every_known_address_of_the_city_leads_to_its_buildings_grid(city: Database) -> None:
    book = book_of(city)
    with city.session() as session:
        known = known_grids(session, COUNTY)
    assert len(known) > 2000
    assert [one for one in known if codes(book, one.text) != (True, [one.code])] == []


def plant(city: Database, folder: Path, units: int) -> tuple[str, list[str]]:
    """A building across the edge of two grids, with an address for each of its units."""
    with city.session() as session:
        edge = session.execute(
            text(
                "SELECT ST_X(p) AS lon, ST_Y(p) AS lat, one, other FROM (SELECT "
                "ST_LineInterpolatePoint(ST_GeometryN(ST_LineMerge(ST_Intersection(a.geom, b.geom)"
                "), 1), 0.5) AS p, a.code AS one, b.code AS other FROM grid AS a JOIN grid AS b "
                "ON a.code < b.code AND ST_Touches(a.geom, b.geom) "
                "WHERE upper_inf(a.valid) AND upper_inf(b.valid) AND ST_Length(ST_Intersection("
                "a.geom, b.geom)::geography) > 60) AS edges ORDER BY one, other LIMIT 1"
            )
        ).one()
        session.execute(
            text(
                "INSERT INTO building (county, source_ref, use, geom) VALUES "
                "(:county, 'planted', 'apartments', ST_Multi(ST_Buffer(ST_SetSRID(ST_MakePoint("
                ":lon, :lat), 4326)::geography, 20)::geometry))"
            ),
            {"county": COUNTY, "lon": edge.lon, "lat": edge.lat},
        )
        names = ["春水市跨界街1号跨界大厦1号楼"]
        names += [f"{names[0]}{unit}单元" for unit in range(1, units + 1)]
        rows = [f"X{at},{name},{edge.lon},{edge.lat}" for at, name in enumerate(names)]
        file = folder / "planted.csv"
        file.write_text("编号,地址,经度,纬度\n" + "\n".join(rows), encoding="utf-8")
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
    return names[0], sorted([edge.one, edge.other])


def test_a_building_across_an_edge_is_a_question(city: Database, tmp_path: Path) -> None:
    name, both = plant(city, tmp_path, units=2)
    book = book_of(city)
    for typed in (name, f"{name}301室", f"{name}1单元", "跨界大厦1幢", "跨街大厦1号楼"):
        certain, found = codes(book, typed)
        assert not certain, typed
        assert set(found) >= set(both), typed
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        answer = card_of_address(directory, load_book(session, directory.places), name)
    assert answer.card is None
    assert [one.code for one in answer.grids] == both


def test_the_address_table_is_asked_before_the_polygon(city: Database, tmp_path: Path) -> None:
    name, (one, other) = plant(city, tmp_path, units=2)
    file = tmp_path / "members.csv"
    file.write_text(f"地址,网格\n{name}1单元,{one}\n{name}2单元,{other}\n", encoding="utf-8")
    with city.session() as session:
        report = import_memberships(session, file, county=COUNTY)
        assert report.refused == []
    book = book_of(city)
    assert codes(book, f"{name}1单元") == (True, [one])
    assert codes(book, f"{name}2单元301") == (True, [other])
    found = book.look_up(f"{name}301")
    assert (found.is_certain, found.asked) == (False, "unit")
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        answer = card_of_address(directory, load_book(session, directory.places), f"{name}2单元")
    assert answer.card is not None
    assert answer.card.grid.code == other


def test_a_book_follows_the_plan_and_its_addresses(city: Database, tmp_path: Path) -> None:
    book = book_of(city)
    typed = book.table.text(0)
    with city.session() as session:
        before = book_version(session, COUNTY)
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=7, author="t"))
    with city.session() as session:
        places = load_directory(session, COUNTY).places
    renewed = renewed_book(book, places)
    assert not renewed.is_measured
    known = codes(renewed, typed)[1]
    assert known
    assert set(known) <= {one.code for one in places.facts.values()}
    (tmp_path / "alias.csv").write_text("俗称,名称\n老电影院,春晖花园\n", encoding="utf-8")
    assert not codes(renewed, "老电影院1号楼")[0]
    with city.session() as session:
        assert import_aliases(session, tmp_path / "alias.csv", county=COUNTY).stored == 1
    with city.session() as session:
        assert book_version(session, COUNTY) != before
    assert codes(book_of(city), "老电影院1号楼")[0]


def test_an_address_whose_text_changes_is_taken_apart_again(city: Database) -> None:
    with city.session() as session:
        session.execute(
            text(
                "UPDATE address SET text = '春水市新路9号' WHERE id = (SELECT min(id) FROM address)"
            )
        )
        held = session.scalar(text("SELECT components FROM address ORDER BY id LIMIT 1"))
    assert held is None
    assert codes(book_of(city), "新路9号")[0]


def card_code(city: Database, typed: str) -> str | None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        answer = card_of_address(directory, load_book(session, directory.places), typed)
    return None if answer.card is None else answer.card.grid.code


def in_three_grids(city: Database) -> list[tuple[str, float, float]]:
    """Three grids, and a place in each."""
    with city.session() as session:
        rows = session.execute(
            text(
                "SELECT code, ST_X(p) AS lon, ST_Y(p) AS lat FROM (SELECT code, "
                "ST_PointOnSurface(geom) AS p FROM grid WHERE upper_inf(valid) "
                "ORDER BY code LIMIT 3) AS g"
            )
        )
        return [tuple(row) for row in rows]


def test_one_of_two_addresses_of_one_name_belongs_to_another_grid(
    city: Database, tmp_path: Path
) -> None:
    (one, *at), (other, *there), (third, *_) = in_three_grids(city)
    name = "春水市重名街7号"
    file = tmp_path / "same.csv"
    rows = (f"S1,{name},{at[0]},{at[1]}", f"S2,{name},{there[0]},{there[1]}")
    file.write_text("编号,地址,经度,纬度\n" + "\n".join(rows), encoding="utf-8")
    members = tmp_path / "members.csv"
    with city.session() as session:
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
        members.write_text(f"地址,网格\n{name},{third}\n", encoding="utf-8")
        refused = import_memberships(session, members, county=COUNTY).refused
        assert "2 have the number or text" in refused[0].reason
        members.write_text(f"地址,网格\nS1,{third}\n", encoding="utf-8")
        assert import_memberships(session, members, county=COUNTY).changed == 1
    assert card_code(city, name) is None
    assert codes(book_of(city), name) == (False, sorted([third, other]))
    with city.session() as session:
        directory = load_directory(session, COUNTY)
    for place, code in ((at, third), (there, other)):
        assert directory.answer(*place, address=name).where.grid.code == code
    assert one != third


def test_a_number_in_the_source_is_no_other_addresss_name(city: Database, tmp_path: Path) -> None:
    (one, *at), (other, *there), (third, *_) = in_three_grids(city)
    name, number = "春水市编号街8号", "春水市编号街9号"
    file = tmp_path / "numbers.csv"
    rows = (f"{number},{name},{at[0]},{at[1]}", f"S4,{number},{there[0]},{there[1]}")
    file.write_text("编号,地址,经度,纬度\n" + "\n".join(rows), encoding="utf-8")
    members = tmp_path / "members.csv"
    members.write_text(f"地址,网格\n{name},{third}\n", encoding="utf-8")
    with city.session() as session:
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
        assert import_memberships(session, members, county=COUNTY).changed == 1
    assert (card_code(city, name), card_code(city, number)) == (third, other)
    assert one != third


def test_a_directory_follows_a_building_that_belongs_to_a_grid(
    city: Database, tmp_path: Path
) -> None:
    (_, *at), (other, *there), (third, *_) = in_three_grids(city)
    move = text(
        "UPDATE building SET geom = ST_Multi(ST_Buffer(ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)"
        "::geography, 5)::geometry) WHERE source_ref = 'moved'"
    )
    with city.session() as session:
        session.execute(
            text(
                "INSERT INTO building (county, source_ref, use, geom) SELECT county, 'moved', use, "
                "geom FROM building ORDER BY id LIMIT 1"
            )
        )
        session.execute(move, {"lon": at[0], "lat": at[1]})
        members = tmp_path / "members.csv"
        members.write_text(f"building,grid\nmoved,{third}\n", encoding="utf-8")
        assert import_memberships(session, members, county=COUNTY).changed == 1
    with city.session() as session:
        version = directory_version(session, COUNTY, datetime.now(UTC))
        held = load_directory(session, COUNTY)
    assert held.answer(*at).where.grid.code == third
    with city.session() as session:
        session.execute(move, {"lon": there[0], "lat": there[1]})
    with city.session() as session:
        assert directory_version(session, COUNTY, datetime.now(UTC)) != version
        moved = load_directory(session, COUNTY, held=(version, held))
    assert moved.answer(*at).where.by == "polygon"
    assert (moved.answer(*there).where.grid.code, other != third) == (third, True)


def test_addresses_of_one_name_and_place_in_different_grids_are_a_question(
    city: Database, tmp_path: Path
) -> None:
    (one, *at), (other, *_), (third, *_) = in_three_grids(city)
    name = "春水市同处街5号"
    file, members = tmp_path / "same.csv", tmp_path / "members.csv"
    rows = (f"T{number},{name},{at[0]},{at[1]}" for number in range(2))
    file.write_text("编号,地址,经度,纬度\n" + "\n".join(rows), encoding="utf-8")
    members.write_text(f"地址,网格\nT0,{third}\n", encoding="utf-8")
    with city.session() as session:
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
        import_memberships(session, members, county=COUNTY)
    assert card_code(city, name) is None
    assert codes(book_of(city), name) == (False, sorted([one, third]))
    members.write_text(f"地址,网格\nT1,{other}\n", encoding="utf-8")
    with city.session() as session:
        import_memberships(session, members, county=COUNTY)
    assert codes(book_of(city), name) == (False, sorted([other, third]))


def name_in(
    city: Database, folder: Path, rows: dict[str, tuple[str, list[float]]], **members: str
) -> None:
    """Import addresses (number → text and place), and the grids of some by number."""
    file, list_ = folder / "named.csv", folder / "members.csv"
    lines = [f"{number},{name},{at[0]},{at[1]}" for number, (name, at) in rows.items()]
    file.write_text("编号,地址,经度,纬度\n" + "\n".join(lines), encoding="utf-8")
    with city.session() as session:
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
    if members:
        lines = [f"{number},{code}" for number, code in members.items()]
        list_.write_text("地址,网格\n" + "\n".join(lines), encoding="utf-8")
        with city.session() as session:
            assert import_memberships(session, list_, county=COUNTY).changed == len(members)


def test_a_directory_follows_the_addresses_that_belong_to_grids_by_name(
    city: Database, tmp_path: Path
) -> None:
    """Another address takes the name of one that belongs to a grid, and it takes another."""
    (one, *at), (other, *there), (third, *_) = in_three_grids(city)
    name, later = "春水市新开街1号", "春水市新开街9号"
    name_in(city, tmp_path, {"N1": (name, at)}, N1=third)
    with city.session() as session:
        version = directory_version(session, COUNTY, datetime.now(UTC))
        held = load_directory(session, COUNTY)
        book = load_book(session, held.places)
    assert codes(book, name) == (True, [third])
    name_in(city, tmp_path, {"N2": (name, there)})
    with city.session() as session:
        assert directory_version(session, COUNTY, datetime.now(UTC)) != version
        follows = load_directory(session, COUNTY, held=(version, held))
    grid_id = next(grid.id for grid in held.places.facts.values() if grid.code == third)
    assert follows.places.address_grids == {
        name: ((*at, grid_id), (*there, 0)),
        "N1": ((*at, grid_id),),
    }
    assert follows.places.grids is held.places.grids
    # Until the book is of these addresses too, it answers as before, and not in between.
    old = renewed_book(book, follows.places)
    assert (old.areas is book.areas, old.places is follows.places) == (True, True)
    answer = card_of_address(follows, old, name)
    assert answer.card is not None
    assert answer.card.grid.code == third
    assert card_code(city, name) is None
    name_in(city, tmp_path, {"N1": (later, at)})
    with city.session() as session:
        now = load_directory(session, COUNTY, held=(version, follows))
    assert set(now.places.address_grids) == {later, "N1"}
    assert (card_code(city, name), card_code(city, later)) == (other, third)
    answer = card_of_address(now, renewed_book(old, now.places), name)
    assert answer.card is not None
    assert (answer.card.grid.code, one != third) == (third, True)


def test_a_directory_that_addresses_do_not_change_stays(city: Database, tmp_path: Path) -> None:
    (_, *at), *_ = in_three_grids(city)
    with city.session() as session:
        version = directory_version(session, COUNTY, datetime.now(UTC))
        held = load_directory(session, COUNTY)
    name_in(city, tmp_path, {"N3": ("春水市无关街1号", at)})
    with city.session() as session:
        follows = load_directory(session, COUNTY, held=(version, held))
        assert follows.places is held.places
        assert follows.places.addresses == book_version(session, COUNTY)


def test_a_building_across_an_edge_is_one_also_where_another_has_its_name(
    city: Database, tmp_path: Path
) -> None:
    name, both = plant(city, tmp_path, units=0)
    *_, (third, *there) = in_three_grids(city)
    name_in(city, tmp_path, {"N4": (name, there)}, N4=third)
    book = book_of(city)
    (row,) = [row for row in book.straddling if book.table.text(row) == name]
    facts = book.places.facts
    assert sorted(facts[one].code for one in book.areas.more[row]) == both
    assert card_code(city, name) is None


def test_a_directory_follows_the_names_of_communities(city: Database) -> None:
    with city.session() as session:
        version = directory_version(session, COUNTY, datetime.now(UTC))
        held = load_directory(session, COUNTY)
        book = load_book(session, held.places)
    facts = next(iter(held.places.facts.values()))
    rename = text("UPDATE division SET name = :name WHERE code = :code")
    with city.session() as session:
        session.execute(rename, {"name": facts.community_name, "code": facts.community})
    with city.session() as session:
        assert directory_version(session, COUNTY, datetime.now(UTC)) == version
        session.execute(rename, {"name": "改名社区", "code": facts.community})
    with city.session() as session:
        follows = load_directory(session, COUNTY, held=(version, held))
    assert follows.places.facts[facts.id].community_name == "改名社区"
    assert not renewed_book(book, follows.places).is_measured, "lookups know names of communities"
