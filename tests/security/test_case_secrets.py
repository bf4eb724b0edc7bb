"""Attack: rating, and reading the course of, cases of other people by their public numbers.

Open311 and lists publish a case's number. Anybody who read it there could follow the case, whatever
its class, and say once and for good how content its reporter was. The number is public now, and a
secret of 122 random bits beside it is not: it is told to the one who reports, and to nobody else.
"""

import re

from fastapi.testclient import TestClient
from sqlalchemy import text

from data.accounts import add_account
from data.database import Database
from data.settings import DEMO_COUNTY

KEY = re.compile(r"[0-9a-f]{32}")
RATING = {"satisfaction": "dissatisfied"}


def reported(web: TestClient, class_code: str) -> tuple[str, str]:
    """A case of a class: its number, and where its reporter follows it."""
    said = {"class_code": class_code, "place": "122.31, 43.575", "key": "k" * 20 + class_code}
    answer = web.post("/report", data=said, files={"photo": ("", b"")}, follow_redirects=False)
    assert answer.status_code == 303
    place = answer.headers["location"]
    return place.split("/")[2], place


def close(city: Database, case: str) -> None:
    with city.session() as session:
        closed = "UPDATE incident SET state = 'closed' WHERE source_ref = :case"
        session.execute(text(closed), {"case": case})


def test_a_public_number_neither_follows_nor_rates(web: TestClient, city: Database) -> None:
    case, place = reported(web, "E01")
    close(city, case)
    listed = web.get("/open311/v2/requests.json").json()
    assert case in {one["service_request_id"] for one in listed}
    page = web.get(f"/report/{case}")
    assert page.status_code == 200
    assert 'id="rate"' not in page.text
    assert KEY.search(page.text) is None
    for wrong in ("", "/x", f"/{'0' * 32}", f"/{place[-31:]}0", "/%00", f"/{'é' * 32}"):
        answer = web.post(f"/report/{case}{wrong}/satisfaction", data=RATING)
        assert answer.status_code in {404, 405, 422}, wrong
    assert web.get(f"/report/{case}/{'0' * 32}").status_code == 404
    assert web.post(f"{place}/satisfaction", data=RATING).status_code == 200


def test_a_private_class_is_not_told_of_by_its_number(web: TestClient) -> None:
    case, place = reported(web, "B03")
    assert web.get(place).status_code == 200
    private, unknown = web.get(f"/report/{case}"), web.get("/report/990100-000000-AAAAAAA")
    assert private.status_code == unknown.status_code == 404


def test_the_secret_is_in_no_answer_but_the_reporters(web: TestClient, city: Database) -> None:
    case, place = reported(web, "E01")
    key = place.rsplit("/", 1)[-1]
    with city.session() as session:
        roles = ("dispatcher", "centre", "planner", "reviewer", "worker")
        add_account(session, DEMO_COUNTY, "all", "all", "a long Password", roles)
        number = session.scalar(
            text("SELECT id FROM incident WHERE source_ref = :case"), {"case": case}
        )
    web.post("/login", data={"login": "all", "password": "a long Password"})
    asked = (
        f"/api/v1/incidents/{number}",
        "/api/v1/incidents?limit=500",
        "/api/v1/incidents/clusters",
        f"/open311/v2/requests/{case}.json",
        f"/open311/v2/requests/{case}.xml",
        f"/report/{case}",
        "/dispatch/ledger",
        "/api/v1/notices",
    )
    for path in asked:
        answer = web.get(path)
        assert answer.status_code == 200, path
        assert key not in answer.text, path


def test_cases_that_were_there_have_secrets_that_differ(city: Database) -> None:
    with city.session() as session:
        keys = session.scalars(text("SELECT follow_key FROM incident")).all()
    assert len(keys) > 100
    assert len(set(keys)) == len(keys)
    assert all(KEY.fullmatch(key) for key in keys)
