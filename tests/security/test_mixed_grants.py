"""Somebody who holds one class here and another there uses each right in the area of the other.

Areas and classes of a role were put together apart from each other, so that two narrow grants
opened both classes in both areas.
"""

from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from api.feed import Seat
from data.accounts import Grant, add_account
from data.database import Database
from data.scope import Scope
from data.sessions import signed_in
from data.settings import DEMO_COUNTY

PASSWORD = "seven boats sail"
_PLACES = text(
    "SELECT DISTINCT ON (community) community, ST_X(at) AS lon, ST_Y(at) AS lat FROM "
    "(SELECT community, code, ST_PointOnSurface(geom) AS at FROM grid "
    "WHERE county = :county AND valid @> now()) AS inside ORDER BY community, code LIMIT 2"
)


@dataclass(frozen=True)
class Mixed:
    """Cases by community and class, and who may see E01 in the first, P01 in the second."""

    cases: dict[tuple[str, str], int]
    areas: tuple[str, str]
    web: TestClient

    @property
    def own(self) -> set[int]:
        first, second = self.areas
        return {self.cases[first, "E01"], self.cases[second, "P01"]}


@pytest.fixture
def mixed(web: TestClient, city: Database) -> Mixed:
    with city.session() as session:
        places = session.execute(_PLACES, {"county": DEMO_COUNTY}).all()
        whole = Grant("dispatcher")
        add_account(session, DEMO_COUNTY, "all", "All", PASSWORD, (whole,))
        grants = tuple(
            Grant("dispatcher", place.community, code)
            for place, code in zip(places, ("E01", "P01"), strict=True)
        )
        add_account(session, DEMO_COUNTY, "mix", "Mix", PASSWORD, grants)
    sign_in(web, city, "all")
    cases = {}
    for place in places:
        for code in ("E01", "P01"):
            place_of = {"x": place.lon, "y": place.lat, "crs": "EPSG:4326"}
            body = {"class_code": code, **place_of}
            answer = web.post("/api/v1/incidents", json=body)
            assert answer.status_code == 201, answer.text
            cases[place.community, code] = answer.json()["incident"]
    sign_in(web, city, "mix")
    return Mixed(cases, (places[0].community, places[1].community), web)


def sign_in(web: TestClient, city: Database, login: str) -> None:
    answer = web.post("/login", data={"login": login, "password": PASSWORD}, follow_redirects=False)
    assert answer.status_code == 303
    token = web.cookies["onegrid_session"]
    with city.session() as session:
        web.headers["X-CSRF-Token"] = signed_in(session, token).csrf


def test_lists_hold_ones_own_pairs_only(mixed: Mixed) -> None:
    listed = mixed.web.get("/api/v1/incidents", params={"limit": 500}).json()["incidents"]
    made = {one["id"] for one in listed} & set(mixed.cases.values())
    assert made == mixed.own
    assert {one["class_code"] for one in listed} == {"E01", "P01"}
    cells = mixed.web.get("/api/v1/incidents/cells").json()["features"]
    assert sum(one["properties"]["count"] for one in cells) == len(listed)


def test_no_case_of_another_pair_is_read_or_changed(mixed: Mixed) -> None:
    for number in mixed.cases.values():
        expected = 200 if number in mixed.own else 404
        read = mixed.web.get(f"/api/v1/incidents/{number}")
        assert read.status_code == expected, number
        advice = mixed.web.get(f"/api/v1/incidents/{number}/recommendation")
        assert (advice.status_code == 404) == (expected == 404)
        step = mixed.web.post(f"/api/v1/incidents/{number}/triage", json={"version": 1})
        assert (step.status_code == 404) == (expected == 404), step.text


def test_the_feed_passes_on_ones_own_pairs_only(mixed: Mixed, city: Database) -> None:
    with city.session() as session:
        seat = Seat.of(signed_in(session, mixed.web.cookies["onegrid_session"]))
    heard = {
        pair: seat.hears({"community": pair[0], "class_code": pair[1]}) for pair in mixed.cases
    }
    first, second = mixed.areas
    assert [pair for pair, is_heard in heard.items() if is_heard] == [
        (first, "E01"),
        (second, "P01"),
    ]


_AREAS = st.sampled_from([None, "990100001000", "990100001002", "990100002003", "990200001001"])
_CLASSES = st.sampled_from([None, "E01", "P01"])


@given(st.lists(st.tuples(_AREAS, _CLASSES), max_size=5), _AREAS, _CLASSES)
def test_many_grants_see_what_one_of_them_sees(
    grants: list[tuple[str | None, str | None]], community: str | None, class_code: str | None
) -> None:
    kind = class_code or "X"
    one_by_one = [Scope.of_grants("990100", [grant]).sees(community, kind) for grant in grants]
    assert Scope.of_grants("990100", grants).sees(community, kind) == any(one_by_one)
