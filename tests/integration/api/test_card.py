"""The public card: asked as residents ask, and as those who want them all do."""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import text

from api.app import create_app
from api.guard import Guard
from data.card_layouts import keep_photo, set_layout
from data.database import Database
from data.errors import SourceError
from data.models import Person
from data.pictures import redrawn
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings
from grids.directory import load_directory

KNOWN = "春水市滨南街1号春晖花园1号楼"
HOSTILE = [
    "'; DROP TABLE address; --",
    "%' OR '1'='1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}{% raw %}",
    "\u202e楼号1园花晖春\u202c",
    "滨\u200b南\u200c街\u200d1\ufeff号\u2060春晖花园1号楼",
    "\x00\x01\x1b[31m",
    "滨南街" * 60,
    "１" * 200,
    "\ud83d",
    "💥" * 100,
    "../../etc/passwd",
    "(((((((((((((((((((",
]


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


def handle_of(page: str) -> str:
    return re.search(r'name="handle" value="([^"]+)"', page)[1]


def test_a_resident_types_is_asked_and_gets_the_card(web: TestClient) -> None:
    asked = web.post("/card", data={"q": "滨南街1号"})
    assert 'id="matches"' in asked.text
    assert 'id="card"' not in asked.text
    options = re.findall(r'<button name="q" value="([^"]+)"', asked.text)
    assert len(options) == 9
    for option in options:
        page = web.post("/card", data={"q": option}).text
        assert 'id="card"' in page, option
    for word in ("网格员", "社区民警", "监督电话", "12345", "24 小时", "截至", "矛盾纠纷调解"):
        assert word in page
    english = web.post("/card?lang=en", data={"handle": handle_of(page)}).text
    assert "Community police" in english
    assert "Settling disputes" in english
    large = web.post("/card", data={"handle": handle_of(page), "large": "1"}).text
    assert "public large" in large


def test_what_was_read_otherwise_is_said(web: TestClient) -> None:
    page = web.post("/card?lang=zh", data={"q": "春辉花园1幢"}).text
    assert "识别为" in page
    assert KNOWN in page


@pytest.mark.parametrize("typed", HOSTILE)
def test_hostile_text_gets_an_ordinary_answer(web: TestClient, typed: str) -> None:
    said = typed.encode("utf-8", "surrogatepass")
    answer = web.post("/card", data={"q": said})
    assert answer.status_code == 200, answer.text
    assert "<script>alert" not in answer.text
    assert "onerror=alert(1)>" not in answer.text
    body = {"address": typed[:200]} if typed.isprintable() else {"address": "x"}
    assert web.post("/api/v1/card", json=body).status_code in {200, 422}
    assert (
        web.post("/api/v1/addresses/suggest", json={"typed": typed[:200]}).status_code
        in {
            200,
            422,
        }
        if typed != "\ud83d"
        else True
    )


def test_what_is_not_seen_does_not_hide_an_address(web: TestClient) -> None:
    assert KNOWN in web.post("/card", data={"q": HOSTILE[6]}).text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"q=" + b"x" * 100_000, 413),
        (b"q=%ff%fe", 200),
        (b"\xff\xfe\x00", 400),
        (b"&".join(b"a=1" for _ in range(50)), 400),
        (b"", 200),
    ],
)
def test_a_form_that_is_none_is_refused(web: TestClient, body: bytes, status: int) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert web.post("/card", content=body, headers=headers).status_code == status


def test_nothing_is_kept_before_it_is_needed(
    web: TestClient, caplog: pytest.LogCaptureFixture, capfd
) -> None:
    caplog.set_level(logging.DEBUG, logger="onegrid")
    for answer in (web.get("/card"), web.post("/card", data={"q": KNOWN})):
        assert "set-cookie" not in answer.headers
        assert KNOWN not in str(answer.url)
    assert web.post("/card", data={"q": KNOWN}).headers["cache-control"] == "no-store"
    said = capfd.readouterr()
    assert KNOWN not in caplog.text + said.out + said.err


def test_a_sign_on_a_door_leads_to_its_card_without_telling_the_next(
    web: TestClient, city: Database
) -> None:
    signed_in = {"login": "demo", "password": "onegrid-demo"}
    web.post("/login", data=signed_in)
    printed = web.get("/api/v1/grids/990100001001007/door-signs.pdf")
    assert printed.content.startswith(b"%PDF")
    with city.session() as session:
        held = session.execute(
            text("SELECT token, text FROM door_sign JOIN address ON address.id = address_id")
        ).all()
    assert len(held) > 10
    assert len({one.token for one in held}) == len(held)
    assert all(len(one.token) == 16 for one in held)
    page = web.get(f"/d/{held[0].token}").text
    assert held[0].text in page
    assert web.get(f"/d/{held[0].token[::-1]}").status_code == 404
    web.get("/api/v1/grids/990100001001007/door-signs.pdf")
    with city.session() as session:
        assert session.scalar(text("SELECT count(*) FROM door_sign")) == len(held)


def test_a_card_as_contacts_and_on_paper(web: TestClient) -> None:
    handle = handle_of(web.post("/card", data={"q": KNOWN}).text)
    contacts = web.post("/card/file", data={"handle": handle, "kind": "vcf", "lang": "zh"})
    assert contacts.headers["content-type"] == "text/vcard; charset=utf-8"
    assert contacts.text.count("BEGIN:VCARD\r\nVERSION:4.0\r\n") == 6
    programs = web.post("/card/file", data={"handle": handle, "kind": "jcard"})
    assert programs.headers["content-type"] == "application/vcard+json"
    assert [one[0] for one in programs.json()] == ["vcard"] * 6
    for size in ("a6", "a4"):
        paper = web.post("/card/file", data={"handle": handle, "kind": size, "lang": "zh"})
        assert paper.content.startswith(b"%PDF"), size
    for wrong in ("", "x", handle[:-3], handle[1:]):
        assert web.post("/card/file", data={"handle": wrong, "kind": "a6"}).status_code == 404


def test_a_small_map_is_sent_once(web: TestClient) -> None:
    first = web.get("/card/map/990100001001007.svg")
    assert first.headers["content-type"].startswith("image/svg+xml")
    again = web.get(
        "/card/map/990100001001007.svg", headers={"if-none-match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert web.get("/card/map/990100009999999.svg").status_code == 404


def test_the_five_bags_become_a_case_that_is_judged_at_its_end(
    web: TestClient, city: Database
) -> None:
    handle = handle_of(web.post("/card", data={"q": KNOWN}).text)
    form = web.post("/report/begin", data={"handle": handle, "bag": "wish"}).text
    assert KNOWN in form
    assert '<option value="B03" selected>' in form
    key = re.search(r'name="key" value="([^"]+)"', form)[1]
    said = {"class_code": "B03", "place": KNOWN, "description": "想要一条长椅", "key": key}
    files = {"photo": ("", b"")}
    made = web.post("/report", data=said, files=files)
    case = re.search(r'id="case">([^<]+)<', made.text)[1]
    place = made.url.path
    assert re.fullmatch(f"/report/{case}/[0-9a-f]{{32}}", place)
    assert f'id="follow" href="http://localhost{place}"' in made.text
    assert web.post("/report", data=said, files=files).url.path == place
    early = web.post(f"{place}/satisfaction", data={"satisfaction": "satisfied"})
    assert early.status_code == 409
    with city.session() as session:
        session.execute(
            text("UPDATE incident SET state = 'closed' WHERE source_ref = :case"), {"case": case}
        )
    assert 'id="rate"' in web.get(place).text
    odd = web.post(f"{place}/satisfaction", data={"satisfaction": "blue"})
    assert odd.status_code == 422
    done = web.post(f"{place}/satisfaction", data={"satisfaction": "dissatisfied"})
    assert 'id="said"' in done.text
    again = web.post(f"{place}/satisfaction", data={"satisfaction": "satisfied"})
    assert again.status_code == 409
    with city.session() as session:
        held = session.execute(text("SELECT satisfaction, actor FROM follow_up")).all()
    assert ("dissatisfied", "reporter") in held


def test_private_numbers_and_photos_need_consent_and_a_layout(
    web: TestClient, city: Database
) -> None:
    photo = redrawn(_picture(), longest_side=240)
    where = {"lon": 122.31, "lat": 43.575}
    with city.session() as session:
        person = load_directory(session, COUNTY).answer(*where.values()).first("gridworker")
        ref = session.get_one(Person, person.person_id).source_ref
        session.execute(
            text(
                "UPDATE person SET private_phone = '13800000000', "
                "private_phone_consent_at = now() - interval '1 day' WHERE id = :person"
            ),
            {"person": person.person_id},
        )
        with pytest.raises(SourceError, match="consent"):
            keep_photo(session, COUNTY, ref, photo, None)
        keep_photo(session, COUNTY, ref, photo, datetime.now(UTC))
    assert "13800000000" not in web.get("/card", params=where).text
    with city.session() as session:
        set_layout(
            session,
            COUNTY,
            '{"name": "本县", "roles": ["gridworker"], "shows_private_phone": true, '
            '"shows_photo": true, "source": "试"}',
        )
    web.app.state.engines.refreshed()
    page = web.get("/card", params=where).text
    assert "13800000000" in page
    assert "data:image/jpeg;base64," in page
    assert "社区民警" not in page
    with city.session() as session:
        session.execute(text("UPDATE person SET private_phone_consent_at = now() + '1 day'"))
        keep_photo(session, COUNTY, ref, None, None)
    web.app.state.engines.refreshed()
    page = web.get("/card", params=where).text
    assert "13800000000" not in page
    assert "data:image/jpeg" not in page
    with city.session() as session, pytest.raises(SourceError, match="unknown"):
        set_layout(session, COUNTY, '{"name": "x", "roles": ["king"], "source": "x"}')


def _picture() -> bytes:
    import io  # noqa: PLC0415

    held = io.BytesIO()
    Image.new("RGB", (900, 600), "#225588").save(held, "PNG")
    return held.getvalue()


# Those who want them all.


class Clock:
    """A time that tests move on; the database keeps its own."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def time(self) -> float:
        return self.now


def strict(settings: Settings) -> Settings:
    """As a stranger is met."""
    fresh = Settings(
        home=settings.home, database_url=settings.database_url, public_url=settings.public_url
    )
    assert fresh.cards_most == "100 per day"
    return fresh


def addresses(city: Database) -> list[str]:
    with city.session() as session:
        return list(session.scalars(text("SELECT text FROM address ORDER BY id")))


Ask = Callable[[str], bool]


def by_page(web: TestClient) -> Ask:
    def ask(address: str) -> bool:
        answer = web.post("/card", data={"q": address})
        assert answer.status_code in {200, 429}
        return 'id="card"' in answer.text

    return ask


def by_program(web: TestClient) -> Ask:
    def ask(address: str) -> bool:
        answer = web.post("/api/v1/card", json={"address": address})
        assert answer.status_code in {200, 429}
        return answer.status_code == 200 and answer.json()["card"] is not None

    return ask


async def cards_of(app, forms: list[bytes]) -> int:
    """Send forms one after the other, without what a client library does around each."""
    got = 0
    head = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/card"}
    head |= {"raw_path": b"/card", "query_string": b"", "scheme": "http", "root_path": ""}
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    head |= {"headers": [(b"host", b"localhost"), kind], "server": ("grid", 80)}
    for form in forms:
        said: list[dict] = []

        async def receive(form: bytes = form) -> dict:
            return {"type": "http.request", "body": form, "more_body": False}

        async def send(message: dict, said: list[dict] = said) -> None:
            said.append(message)

        await app(dict(head, client=("203.0.113.5", 1)), receive, send)
        assert said[0]["status"] in {200, 429}
        got += any(b'id="card"' in message.get("body", b"") for message in said)
    return got


def test_ten_thousand_look_ups_of_one_client_get_a_hundred_cards_at_most(
    city: Database, city_settings: Settings
) -> None:
    known = addresses(city)
    forms = [urlencode({"q": known[at % len(known)]}).encode() for at in range(10_000)]
    app = create_app(strict(city_settings), city)
    with TestClient(app) as web:
        assert 10 <= web.portal.call(cards_of, app, forms) <= 100


def test_programs_are_counted_as_people_are(city: Database, city_settings: Settings) -> None:
    known = addresses(city)
    with TestClient(create_app(strict(city_settings), city)) as web:
        ask = by_program(web)
        assert sum(ask(address) for address in known[:200]) == 20
        place = web.get("/api/v1/who", params={"lon": 122.31, "lat": 43.575})
        assert place.status_code == 429
        assert int(place.headers["retry-after"]) >= 1
        web.post("/login", data={"login": "demo", "password": "onegrid-demo"})
        assert web.get("/api/v1/who?lon=122.31&lat=43.575").status_code == 200


def test_who_waits_as_told_gets_a_hundred_a_day_and_no_more(
    city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = addresses(city)
    clock = Clock()
    monkeypatch.setattr("api.guard.time", clock)
    settings = strict(city_settings)
    with TestClient(create_app(settings, city)) as web:
        got, ticket, waited = 0, "", 0.0
        for at in range(600):
            page = web.post("/card", data={"q": known[at % len(known)], "ticket": ticket})
            got += 'id="card"' in page.text
            found = re.search(r'name="ticket" value="([^"]+)"', page.text)
            ticket = found[1] if found else ""
            if ticket:
                assert page.status_code == 429
                early = web.post("/card", data={"q": known[0], "ticket": ticket})
                assert 'id="card"' not in early.text
                seconds = float(page.headers["retry-after"])
                clock.now += seconds
                waited += seconds
    assert 95 <= got <= 100
    assert waited > 1000


def test_a_clicked_place_and_a_sign_wait_as_an_address_does(
    city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("api.guard.time", clock)
    settings = strict(city_settings).model_copy(update={"cards_free": "1 per 10 minutes"})
    with TestClient(create_app(settings, city)) as web:
        where = {"lon": 122.31, "lat": 43.575}
        first = web.get("/card", params=where).text
        code = re.search(r'id="code">(\d+)<', first)[1]
        told = web.get("/card", params=where)
        held = dict(re.findall(r'type="hidden" name="(ticket|place)" value="([^"]+)"', told.text))
        assert told.status_code == 429
        assert web.post("/card", data=held).status_code == 429
        clock.now += float(told.headers["retry-after"])
        assert f'id="code">{code}<' in web.post("/card", data=held).text
        assert web.post("/card", data=held | {"place": "x"}).status_code == 404


def test_two_processes_count_together(city: Database, city_settings: Settings) -> None:
    settings = strict(city_settings)
    with (
        TestClient(create_app(settings, city)) as one,
        TestClient(create_app(settings, city)) as two,
    ):
        got = sum(by_page(web)(KNOWN) for _ in range(60) for web in (one, two))
    assert 20 <= got <= 24


def test_what_everybody_may_load_whole_names_nobody(web: TestClient, city: Database) -> None:
    with city.session() as session:
        people = session.execute(text("SELECT name, duty_phone FROM person")).all()
    lists = ("/maps/card", "/api/ogc/collections/grids/items?limit=1000", "/openapi.json")
    said = "".join(web.get(path).text for path in lists)
    assert "990100001001007" in said
    assert not [one.name for one in people if one.name in said]
    assert not [one.duty_phone for one in people if one.duty_phone in said]


def test_ranges_of_addresses_are_counted_together(city: Database, city_settings: Settings) -> None:
    settings = strict(city_settings).model_copy(update={"cards_range": "30 per day"})
    for hosts in (
        [f"198.51.100.{n}" for n in range(200)],
        [f"2001:db8:1:{n:x}::7" for n in range(200)],
    ):
        guard = Guard(settings, city)
        guard.forget()
        assert sum(guard.card(asking(host)).may for host in hosts) == 30
        assert guard.card(asking("203.0.113.9")).may
    guard = Guard(settings, city)
    guard.forget()
    old = ["198.51.100.1", "::ffff:198.51.100.1"] * 20
    assert sum(guard.card(asking(host)).may for host in old) == 20, "one client, written twice"
    guard.forget()
    same = [f"2001:db8:1:2::{n:x}" for n in range(60)]
    assert sum(guard.card(asking(host)).may for host in same) == 20, "a /64 is one client"


def test_trusted_networks_and_partners_are_not_counted(
    city: Database, city_settings: Settings
) -> None:
    update = {"trusted_networks": "192.0.2.0/24", "intake_keys": "desk:secret-key"}
    guard = Guard(strict(city_settings).model_copy(update=update), city)
    assert all(guard.card(asking("192.0.2.7")).may for _ in range(300))
    assert all(guard.card(asking("203.0.113.8", key="secret-key")).may for _ in range(300))
    assert not all(guard.card(asking("203.0.113.8", key="secret-kez")).may for _ in range(300))


def test_who_asks_is_kept_as_a_hash(city: Database, city_settings: Settings) -> None:
    guard = Guard(strict(city_settings), city)
    for _ in range(9):
        guard.card(asking("203.0.113.77"))
    with city.session() as session:
        keys = list(session.scalars(text("SELECT key FROM asked")))
    assert keys
    assert not any("203.0.113" in key for key in keys)


def asking(host: str, key: str = ""):
    from starlette.requests import Request  # noqa: PLC0415

    headers = [(b"x-api-key", key.encode())] if key else []
    return Request({"type": "http", "headers": headers, "client": (host, 1), "path": "/card"})
