"""The whole interface, as its own definition describes it: schemathesis asks, nothing breaks."""

from collections.abc import Iterator

import pytest
import schemathesis

# Python 3.11 does not compile in two threads at once: what is loaded late is loaded here.
import schemathesis.specs.openapi._hypothesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance
from sqlalchemy import text

from api.app import create_app
from data.accounts import add_account
from data.database import Database
from data.settings import DEMO_COUNTY, Settings
from tests.conftest import Furnished

# Answers that never end are asked for in the browser tests.
STREAMS = "/(events|feed)$"


@pytest.fixture(scope="module")
def city(cluster, furnished: Furnished) -> Iterator[Database]:
    made = furnished.city(cluster, "schema_city")
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def web(city: Database, furnished: Furnished) -> Iterator[TestClient]:
    often = "1000000 per minute"
    held = Settings(
        public_url="http://testserver",
        home=furnished.home,
        county=DEMO_COUNTY,
        intake_keys="x:partner",
        cards_free=often,
        cards_most=often,
        cards_range=often,
        suggestions_most=often,
        reports_most=often,
    )
    with TestClient(create_app(held, city)) as client:
        yield client


@pytest.fixture(scope="module")
def somebody(web: TestClient, city: Database) -> dict[str, str]:
    """Headers of one who plans and dispatches, and of a partner."""
    form = {"login": "all", "password": "Blaue-Ziege-77-Kanal"}
    with city.session() as session:
        add_account(session, DEMO_COUNTY, "all", "all", form["password"], ("planner", "dispatcher"))
    web.post("/login", data=form)
    with city.session() as session:
        csrf = session.scalar(text("SELECT csrf FROM session LIMIT 1"))
    cookie = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
    web.cookies.clear()
    return {"Cookie": cookie, "X-CSRF-Token": csrf, "X-Api-Key": "partner"}


SOME = settings(
    max_examples=12,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize=True,
    database=None,
)


@pytest.mark.parametrize("signed_in", [False, True], ids=["stranger", "somebody"])
def test_nothing_breaks_whatever_is_asked(
    web: TestClient, somebody: dict[str, str], signed_in: bool
) -> None:
    definition = schemathesis.openapi.from_asgi("/openapi.json", web.app)
    asked = 0
    for found in definition.exclude(path_regex=STREAMS).get_all_operations():
        operation = found.ok()
        ask_all(operation, somebody if signed_in else {})
        asked += 1
    assert asked > 60


def ask_all(operation, headers: dict[str, str]) -> None:
    @SOME
    @given(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def ask(case) -> None:
        require_sound(case, headers)

    ask()


def require_sound(case, headers: dict[str, str]) -> None:
    """An answer, not a failure, of a shape that the definition tells of."""
    answer = case.call(headers=headers)
    assert answer.status_code < 500, (case.method, case.path, answer.text[:500])
    case.validate_response(answer, checks=[response_schema_conformance])
