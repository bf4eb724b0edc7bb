"""Attack: whatever a value of a request can be, at every address of the server.

Numbers beyond 64 bits and beyond any, dates at both ends of the calendar, digits of other scripts,
bytes that are no text: in each part of each path, in each parameter, header and form. What the
definition of the interface tells is asked by schemathesis; this asks the pages too, and what no
definition would generate.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.routing import BaseRoute

from api.app import create_app
from data.database import Database
from data.settings import DEMO_COUNTY, Settings
from tests.conftest import Furnished

ODD = (
    *("-1", "0", "2147483648", "9223372036854775807", "9223372036854775808", "9" * 20, "1" * 4400),
    *("nan", "-inf", "1e400", "1e308", "-99999999999", "-62135596801", "253402300800", "1_0", "²"),
    *("0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("٢٠٢٦-٠١-٠١", "infinity", "a\0b", "", "é", "网格", "\U0001f600", "x" * 3000, "..", "{}", "'"),
)
RAW = ("%FF", "%ED%A0%80", "%C3%28")
HEADERS = ("If-Match", "X-CSRF-Token", "X-Api-Key", "Idempotency-Key", "Cookie", "Range", "Accept")
# Streams never end; papers take seconds each, and their parameters are those of the pages.
LEFT_OUT = re.compile(r"/(events|feed)$|\.pdf$|^/static")
# Where what is asked for is there, so that a request comes to what is behind.
GIVEN = {"lon": "122.31", "lat": "43.575", "kind": "json", "collection": "grids", "step": "submit"}


@pytest.fixture(scope="module")
def city(cluster, furnished: Furnished) -> Iterator[Database]:
    made = furnished.city(cluster, "odd_city")
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def web(city: Database, furnished: Furnished) -> Iterator[TestClient]:
    often = "1000000 per minute"
    counts = ("cards_free", "cards_most", "cards_range", "suggestions_most", "reports_most")
    held = Settings(
        home=furnished.home,
        county=DEMO_COUNTY,
        intake_keys="x:partner",
        public_url="http://localhost",
        **dict.fromkeys(counts, often),
    )
    # What fails is raised here, with where it was.
    with TestClient(create_app(held, city)) as client:
        client.post("/login", data={"login": "demo", "password": "onegrid-demo"})
        with city.session() as session:
            csrf = session.scalar(text("SELECT csrf FROM session LIMIT 1"))
        client.headers |= {"X-CSRF-Token": csrf, "X-Api-Key": "partner", "If-Match": '"0"'}
        yield client


def routes_of(routes: list[BaseRoute]) -> Iterator[APIRoute]:
    """The routes, also those inside routers."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if isinstance(route, APIRoute):
            if not LEFT_OUT.search(route.path):
                yield route
        elif inner is not None:
            yield from routes_of(inner.routes)


def parameters_of(route: APIRoute) -> tuple[list[str], list[str]]:
    """Names of what is asked in the query, and of what is sent as a form."""
    query, form, left = [], ["csrf"], [route.dependant]
    while left:
        dependant = left.pop()
        query += [one.alias for one in dependant.query_params]
        form += [one.alias for one in dependant.body_params]
        left += dependant.dependencies
    return query, form


def ask(web: TestClient, route: APIRoute, where: str, name: str, value: str) -> None:
    """Ask with one odd value, already encoded, at one place."""
    names = re.findall(r"{(\w+)", route.path)
    path = route.path
    for part in names:
        said = value if (where, part) == ("path", name) else GIVEN.get(part, "1")
        path = re.sub(rf"{{{part}(:\w+)?}}", lambda _, said=said: said, path)
    query = {part: GIVEN[part] for part in parameters_of(route)[0] if part in GIVEN}
    line = urlencode(query) + (f"&{name}={value}" if where == "query" else "")
    body = f"{name}={value}" if where == "form" else ""
    headers: Mapping[str, str | bytes] = {"content-type": "application/x-www-form-urlencoded"}
    if where == "header":
        headers = {name: value.encode("latin-1", "replace")}
    for method in sorted(route.methods - {"HEAD"}):
        answer = web.request(
            method, f"{path}?{line}", content=body, headers=headers, follow_redirects=False
        )
        assert answer.status_code < 500, (method, path[:200], line[:200], answer.text[:300])


def test_no_odd_value_makes_the_server_fail(web: TestClient) -> None:
    places = []
    for route in routes_of(web.app.routes):
        query, form = parameters_of(route)
        places += [(route, "path", part) for part in re.findall(r"{(\w+)", route.path)]
        places += [(route, "query", part) for part in query]
        places += [(route, "form", part) for part in form if "POST" in route.methods]
    assert len(places) > 150

    @settings(max_examples=600, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(places), st.sampled_from([*map(quote_whole, ODD), *RAW]))
    def ask_somewhere(place: tuple[APIRoute, str, str], value: str) -> None:
        ask(web, *place, value)

    ask_somewhere()


def quote_whole(value: str) -> str:
    return quote(value, safe="") or "%20"


@pytest.mark.parametrize("name", HEADERS)
def test_no_odd_header_makes_the_server_fail(web: TestClient, name: str) -> None:
    for route in list(routes_of(web.app.routes))[::4]:
        for value in ("\xff\xfe", '"99999999999999999999999"', "a" * 5000, "onegrid_session=\xff"):
            ask(web, route, "header", name, value)
