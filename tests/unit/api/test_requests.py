"""The number of a request: in its answer and in the log; requests are counted by their route."""

import re
import uuid
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.measures import REGISTRY
from data.database import Database
from data.settings import Settings

GIVEN = "0123456789abcdef0123456789abcdef"


def client(home: Path, **options: object) -> TestClient:
    """A server that has no database and no threads."""
    settings = Settings(home=home, public_url="http://localhost", proxies="10.9.0.0/16")
    app = create_app(settings, Database.at("postgresql+psycopg://nobody@localhost:1/none"))

    @app.get("/fails/{name}")
    def fails(name: str) -> None:
        raise ValueError(f"{name} has the telephone 13912345678")

    return TestClient(app, raise_server_exceptions=False, **options)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return client(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return client(tmp_path_factory.mktemp("home"), client=("10.9.1.2", 5000))


def test_each_answer_has_a_number_of_its_own(web: TestClient) -> None:
    numbers = {web.get("/livez").headers["x-request-id"] for _ in range(3)}
    assert len(numbers) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", number) for number in numbers)
    assert web.get("/nowhere").headers["x-request-id"]
    assert web.get("/livez", headers={"host": "elsewhere"}).headers["x-request-id"]


def test_a_strangers_number_is_not_taken(web: TestClient) -> None:
    said = web.get("/livez", headers={"x-request-id": GIVEN}).headers.get_list("x-request-id")
    assert len(said) == 1
    assert said != [GIVEN]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([GIVEN], True),
        ([str(uuid.UUID(GIVEN)).upper()], True),
        ([GIVEN, GIVEN], False),
        (["x" * 32], False),
        ([GIVEN + "0"], False),
        (["a\tb"], False),
        ([""], False),
    ],
)
def test_a_proxys_number_is_taken_where_it_is_one(
    proxy: TestClient, given: list[str], taken: bool
) -> None:
    answer = proxy.get("/livez", headers=[("x-request-id", one) for one in given])
    said = answer.headers.get_list("x-request-id")
    assert len(said) == 1
    assert (said[0] == given[0]) is taken


def test_a_failure_names_its_number_and_tells_no_words(
    web: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    page = web.get("/fails/Zhang")
    assert page.status_code == 500
    assert page.headers["x-request-id"] in page.text
    assert "13912345678" not in page.text
    (record,) = [one for one in caplog.records if one.message == "a request fails unexpectedly"]
    assert record.route == "/fails/{name}"
    assert "Zhang" not in str(
        {k: v for k, v in vars(record).items() if k not in {"exc_info", "exc_text"}}
    )


def test_programs_read_the_number_in_the_problem(web: TestClient, monkeypatch) -> None:
    monkeypatch.setattr("api.errors._PROGRAMS", ("/fails",))
    answer = web.get("/fails/x")
    assert answer.json()["request"] == answer.headers["x-request-id"]
    assert "request" not in web.get("/fails/no/such/route").json()


def test_routes_are_counted_by_their_template(web: TestClient) -> None:
    def count(**labels: str) -> float:
        return REGISTRY.get_sample_value("onegrid_http_requests_total", labels) or 0.0

    labels = {"route": "/fails/{name}", "method": "GET", "status": "500"}
    before, none = count(**labels), count(route="none", method="GET", status="404")
    other = count(route="none", method="other", status="405")
    web.get("/fails/one")
    web.get("/fails/two", headers={"cookie": 'a="b c"'})
    web.get("/nowhere/at/all")
    assert count(**labels) == before + 2
    assert count(route="none", method="GET", status="404") == none + 1
    web.request("BREW", "/nowhere")
    assert (
        count(route="none", method="other", status="404")
        or count(route="none", method="other", status="405") == other + 1
    )
    routes = {
        sample.labels["route"]
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if "route" in sample.labels
    }
    assert not [route for route in routes if "one" in route.split("/") or "nowhere" in route]
