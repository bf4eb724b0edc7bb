import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from data.database import Database
from data.importing import import_people, import_responsibilities
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from grids.directory import load_directory
from grids.staff_coverage import Coverage, staff_coverage
from maps.coverage_map import coverage_map
from maps.texts import texts

CARD = ("centre_director", "gridworker", "police", "mediator", "doctor", "electrician")


def report(session, roles: tuple[str, ...] = CARD, most: int = 10_000) -> Coverage:
    return staff_coverage(
        load_directory(session, COUNTY), roles, at=datetime.now(UTC), most_households=most
    )


def of(found: Coverage, problem: str) -> list:
    return [one for one in found.problems if one.problem == problem]


def test_the_demonstration_city_lacks_nobody(city: Database) -> None:
    with city.session() as session:
        found = report(session)
        assert found.problems == ()
        assert set(found.missing.values()) == {()}
        loads = of(report(session, most=500), "too_many")
        heaviest = session.scalar(
            text(
                "SELECT max(sum) FROM (SELECT sum(grid.households) FROM responsibility AS r "
                "JOIN grid ON grid.id = grid_id WHERE upper_inf(r.valid) GROUP BY person_id) AS x"
            )
        )
    assert max(int(one.detail.split()[0]) for one in loads) == heaviest


def test_every_gap_is_found(city: Database, tmp_path: Path) -> None:
    ended = tmp_path / "ended.csv"
    with city.session() as session:
        beat = session.execute(
            text("SELECT id, source_ref FROM service_area WHERE name = '滨江警格'")
        ).one()
        rows = session.execute(
            text(
                "SELECT person.source_ref, r.role, coalesce(grid.code, r.division, :beat) AS area "
                "FROM responsibility AS r JOIN person ON person.id = person_id "
                "LEFT JOIN grid ON grid.id = grid_id WHERE service_area_id = :id "
                "OR (r.role = 'doctor' AND division = '990100001002') "
                "OR grid.code = '990100001001001'"
            ),
            {"id": beat.id, "beat": beat.source_ref},
        ).all()
        lines = [f"{r.source_ref},{r.role},{r.area},{datetime.now(UTC).isoformat()}" for r in rows]
        ended.write_text("person,role,area,to\n" + "\n".join(lines), "utf-8")
        assert import_responsibilities(session, ended, county=COUNTY).refused == []
        session.execute(text("UPDATE person SET duty_phone = NULL WHERE source_ref = 'P001'"))
    with city.session() as session:
        found = report(session)
        inside = set(
            session.scalars(
                text(
                    "SELECT code FROM grid, service_area AS area WHERE upper_inf(grid.valid) AND "
                    "area.id = :id AND ST_Area(ST_Intersection(grid.geom, area.geom)) "
                    "> 0.001 * ST_Area(grid.geom)"
                ),
                {"id": beat.id},
            )
        )
        page = coverage_map(session, Scope.whole(COUNTY), found, texts("zh"))
    lacks = {
        role: {code for code, roles in found.missing.items() if role in roles} for role in CARD
    }
    assert lacks["police"] == inside
    assert {code[:12] for code in lacks["doctor"]} == {"990100001002"}
    assert lacks["gridworker"] == {"990100001001001"}
    assert lacks["mediator"] == lacks["electrician"] == set()
    assert [one.role for one in of(found, "no_phone")] == ["centre_director"]
    part = next(one for one in of(found, "nobody") if one.detail.startswith("held for"))
    assert part.role == "police"
    assert json.dumps("岗位齐全")[1:-1] in page.html


def test_overlaps_and_posts_without_an_area_are_found(city: Database, tmp_path: Path) -> None:
    with city.session() as session:
        people, posts = tmp_path / "p.csv", tmp_path / "r.csv"
        people.write_text("编号,姓名,岗位,电话\nX1,甲,医生,1\n", "utf-8")
        posts.write_text("person,role,area\nX1,doctor,临江社区\n", "utf-8")
        import_people(session, people, county=COUNTY)
        import_responsibilities(session, posts, county=COUNTY)
        session.execute(
            text(
                "UPDATE service_area SET geom = ST_Multi(ST_Buffer(geom, 0.001)) "
                "WHERE name = '滨江警格'"
            )
        )
        session.execute(
            text(
                "INSERT INTO responsibility (county, person_id, role, micro_grid, valid) SELECT "
                "county, id, role, '99010000100199901', tstzrange(now(), NULL) FROM person "
                "WHERE source_ref = 'X1'"
            )
        )
    with city.session() as session:
        found = report(session)
    doctors = next(one for one in of(found, "overlap") if one.role == "doctor")
    assert (doctors.detail, "甲" in doctors.person) == ("2 A holders", True)
    assert all("滨江" in f"{p.area_name}{p.detail}" for p in of(found, "overlap") if p != doctors)
    assert len(of(found, "overlap")) >= 3
    assert [one.area for one in of(found, "gone")] == ["99010000100199901"]


def test_the_command_writes_a_table_and_a_map(onegrid, tmp_path: Path) -> None:
    told = onegrid(
        "staff", "coverage", "--team", "trio-jiangyan", "-o", "gaps.csv", "--map", "m.html"
    )
    assert "0 of 65 grids have all" in told
    with (tmp_path / "gaps.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["role"] for row in rows if row["problem"] == "nobody"} == {"micro_grid_liaison"}
    assert json.dumps("缺少一个岗位")[1:-1] in (tmp_path / "m.html").read_text("utf-8")
    assert "no team" in onegrid("staff", "coverage", "--team", "x", code=1)
    assert "micro_grid_liaison" in onegrid("staff", "roles")
    assert "neither" in onegrid("staff", "export", "people", "p.doc", code=1)
    assert "people: p.xlsx" in onegrid("staff", "export", "people", "p.xlsx")
    assert "0 new or changed" in onegrid("import", "people", "p.xlsx")
    assert "0 responsibilities begun" in onegrid("staff", "join")
