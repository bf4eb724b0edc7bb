"""Lists of people, units, leave, rosters, rules and memberships: in, out, and refused."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import text

from data.database import Database
from data.exporting import KINDS, export_table
from data.importing import (
    import_leave,
    import_memberships,
    import_people,
    import_responsibilities,
    import_rosters,
    import_rules,
    import_units,
)
from data.settings import DEMO_COUNTY as COUNTY
from grids.directory import load_directory

IMPORTERS = {
    "people": import_people,
    "units": import_units,
    "responsibilities": import_responsibilities,
    "leave": import_leave,
    "rosters": import_rosters,
}
PLACE = (122.31, 43.575)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), "utf-8")
    return path


def day(text_: str) -> datetime:
    return datetime.fromisoformat(f"{text_}T00:00:00+08:00")


def mediators(database: Database, at: datetime) -> list[str]:
    """Names of who mediates at the place then, as `who` says."""
    with database.session() as session:
        people = load_directory(session, COUNTY).answer(*PLACE, at=at).people
    return [p.name for p in people if p.role == "mediator" and p.name in {"甲", "乙"}]


def periods(session) -> list[tuple]:
    return session.execute(
        text(
            "SELECT person_id, role, coalesce(division, micro_grid, grid_id::text), holder, "
            "lower(valid), upper(valid) FROM responsibility WHERE person_id IN "
            "(SELECT id FROM person WHERE source_ref LIKE 'X%') ORDER BY 1, 2, 3, 5"
        )
    ).all()


FILES = (
    ("人员编号,岗位,责任区,岗别,开始日期,结束日期", "X1,调解员,临江社区,A,2031-01-01,2031-06-30"),
    ("人员编号,岗位,责任区,岗别,开始日期,结束日期", "X2,调解员,临江社区,A,2031-07-01,"),
    ("人员编号,岗位,责任区,岗别,开始日期,结束日期", "X1,调解员,临江社区,B,2031-07-01,2031-12-31"),
    ("人员编号,岗位,责任区,岗别,开始日期,结束日期", "X1,调解员,临江社区,A,2031-03-01,"),
)


def test_a_change_at_a_time_divides_the_answers_whatever_the_order_of_files(
    city: Database, tmp_path: Path
) -> None:
    people = write(tmp_path / "p.csv", "编号,姓名,岗位,电话", "X1,甲,调解员,1", "X2,乙,调解员,2")
    with city.session() as session:
        import_people(session, people, county=COUNTY)
    held = set()
    for number, order in enumerate(permutations(FILES)):
        if number % 4:
            continue
        with city.session() as session:
            for at, lines in enumerate(order):
                report = import_responsibilities(
                    session, write(tmp_path / f"r{at}.csv", *lines), county=COUNTY
                )
                assert report.refused == []
            again = import_responsibilities(session, tmp_path / "r0.csv", county=COUNTY)
            assert again.changed == 0, "a file imported twice changes nothing"
            held.add(tuple(map(tuple, periods(session))))
        before, after = day("2031-07-01") - timedelta(seconds=1), day("2031-07-01")
        assert mediators(city, before) == ["甲"]
        assert mediators(city, after) == ["乙", "甲"], "A before B"
        assert mediators(city, day("2032-01-01")) == ["乙"]
        with city.session() as session:
            session.execute(
                text(
                    "DELETE FROM responsibility WHERE person_id IN (SELECT id FROM "
                    "person WHERE source_ref LIKE 'X%')"
                )
            )
            session.execute(text("ALTER TABLE responsibility_change DISABLE TRIGGER append_only"))
            session.execute(text("DELETE FROM responsibility_change WHERE author = 'import'"))
            session.execute(text("ALTER TABLE responsibility_change ENABLE TRIGGER append_only"))
    assert len(held) == 1


def test_changes_are_never_changed(city: Database) -> None:
    with city.session() as session:
        assert session.scalar(text("SELECT count(*) FROM responsibility_change")) > 60
    with pytest.raises(Exception, match="append-only"), city.session() as session:
        session.execute(text("UPDATE responsibility_change SET state = 'ended'"))


def test_what_does_not_fit_comes_back(city: Database, tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.csv",
        "人员编号,单位,岗位,责任区,岗别,负责类别,开始日期,结束日期",
        "P003,,国王,临江社区,A,,,",
        "P003,,网格员,火星,A,,,",
        "P999,,网格员,临江社区,A,,,",
        ",,网格员,临江社区,A,,,",
        "P003,春水市住建局,网格员,临江社区,A,,,",
        "P003,,网格员,临江社区,C,,,",
        "P003,,网格员,临江社区,A,外星,,",
        "P003,,网格员,临江社区,A,,昨天,",
        "P003,,网格员,临江社区,A,,2026-02-01,2026-01-01",
        "P003,,网格员,990100001001999,A,,,",
        ",春水市住建局,职能部门,临江社区,A,施工管理,,",
    )
    with city.session() as session:
        report = import_responsibilities(session, path, county=COUNTY)
    assert (report.read, report.stored, report.changed) == (11, 1, 1)
    for refusal, reason in zip(
        report.refused,
        [
            "role '国王' is unknown",
            "no area is called '火星'",
            "no person is called 'P999'",
            "either a person or a unit",
            "either a person or a unit",
            "holder 'C' is not A or B",
            "class '外星' is not in the class table",
            "from '昨天' is no date",
            "is not after the beginning",
            "no area is called '990100001001999'",
        ],
        strict=True,
    ):
        assert reason in refusal.reason


def test_two_of_one_name_are_never_guessed(city: Database, tmp_path: Path) -> None:
    people = write(tmp_path / "p.csv", "编号,姓名,岗位", "X1,张同名,调解员", "X2,张同名,医生")
    posts = write(
        tmp_path / "r.csv", "人员,岗位,责任区", "张同名,调解员,临江社区", "X2,医生,临江社区"
    )
    with city.session() as session:
        import_people(session, people, county=COUNTY)
        report = import_responsibilities(session, posts, county=COUNTY)
    assert [one.reason for one in report.refused] == [
        "2 have the name '张同名': give the number of the person"
    ]


def test_leave_takes_the_place_of_what_it_overlaps(city: Database, tmp_path: Path) -> None:
    first = write(
        tmp_path / "a.csv", "工号,代班人,开始日期,结束日期", "P010,,2030-01-01,2030-01-10"
    )
    second = write(
        tmp_path / "b.csv",
        "工号,代班人,开始日期,结束日期",
        "P010,P011,2030-01-05,2030-01-06",
        "P010,P010,2030-02-01,2030-02-02",
        "P010,,,2030-02-02",
    )
    with city.session() as session:
        assert import_leave(session, first, county=COUNTY).changed == 1
        assert import_leave(session, first, county=COUNTY).changed == 0
        report = import_leave(session, second, county=COUNTY)
        assert [one.reason for one in report.refused] == [
            "nobody stands in for themselves",
            "from is missing",
        ]
        held = session.execute(
            text("SELECT lower(valid), upper(valid) FROM leave WHERE lower(valid) > '2029-01-01'")
        ).all()
    assert held == [(day("2030-01-05"), day("2030-01-07"))], "the last day is meant as a whole"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_what_goes_out_comes_in_again_without_a_change(
    city: Database, tmp_path: Path, suffix: str
) -> None:
    with city.session() as session:
        for kind in KINDS:
            path = tmp_path / f"{kind}{suffix}"
            assert export_table(session, COUNTY, kind, path) > 0
            if kind == "rules":
                continue
            report = IMPORTERS[kind](session, path, county=COUNTY)
            assert (report.refused, report.changed) == ([], 0), kind
            assert report.read > 0


def test_a_county_asks_by_its_own_rules(city: Database, tmp_path: Path) -> None:
    path = write(
        tmp_path / "rules.csv",
        "编号,次序,名称,负责类别,值班时段,派给岗位,派给单位",
        "night,1,夜间治安,security,22:00-06:00,,春水市城中派出所",
        "day,2,其余,,,类别,",
        "bad,3,两个,,,网格员,春水市城中派出所",
    )
    with city.session() as session:
        report = import_rules(session, path, county=COUNTY)
        assert [one.row for one in report.refused] == [3]
        directory = load_directory(session, COUNTY)
    evening, noon = day("2031-03-03") - timedelta(hours=1), day("2031-03-03") + timedelta(hours=12)
    said = directory.answer(*PLACE, class_code="S01", at=evening)
    assert said.lead is not None
    assert (said.lead.name, said.trace[0].rule) == ("春水市城中派出所", "night")
    said = directory.answer(*PLACE, class_code="S01", at=noon)
    assert said.lead is not None
    assert (said.lead.role, said.trace[0].outcome) == ("police", "not at this time")


def test_membership_beats_the_polygon(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        own, other = (
            session.execute(
                text(
                    "SELECT address.text, building.source_ref AS building, ST_X(address.geom) x, "
                    "ST_Y(address.geom) AS y, grid.code FROM address JOIN building "
                    "ON building.id = building_id JOIN grid ON ST_Covers(grid.geom, address.geom) "
                    "AND upper_inf(grid.valid) ORDER BY address.id LIMIT 1"
                )
            ).one(),
            session.scalar(text("SELECT max(code) FROM grid WHERE upper_inf(valid)")),
        )
        one = write(
            tmp_path / "a.csv",
            "楼栋编号,地址,网格编码",
            f"{own.building},,{other}",
            f",{own.text},{own.code}",
            f",不存在,{other}",
            f",{own.text},990100001001999",
        )
        report = import_memberships(session, one, county=COUNTY)
        assert (report.changed, len(report.refused)) == (2, 2)
        assert import_memberships(session, one, county=COUNTY).changed == 0
    with city.session() as session:
        directory = load_directory(session, COUNTY)
    by_building = directory.answer(own.x, own.y)
    assert by_building.grid is not None
    assert (by_building.grid.code, by_building.where.by) == (other, "building")
    by_address = directory.answer(own.x, own.y, address=own.text)
    assert by_address.grid is not None
    assert (by_address.grid.code, by_address.where.by) == (own.code, "building")
    with city.session() as session:
        shared = write(tmp_path / "b.csv", "building,grid", f"{own.building},{own.code}")
        import_memberships(session, shared, county=COUNTY)
    with city.session() as session:
        both = load_directory(session, COUNTY).answer(own.x, own.y)
    assert both.grid is not None
    assert (both.grid.code, both.on_boundary, both.ambiguous) == (own.code, (other,), True)


def test_a_directory_answers_only_for_its_generation(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
    before = directory.places.begins - timedelta(seconds=1)
    with pytest.raises(Exception, match="this plan holds from"):
        directory.answer(*PLACE, at=before)
    assert directory.answer(*PLACE, at=datetime.now(UTC)).grid is not None
