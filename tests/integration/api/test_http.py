"""What HTTP promises of every address: HEAD, OPTIONS, who may read, compressed, and once only."""

import gzip
import re
import threading
import time
import zlib
from collections.abc import Iterator

import brotli
import pytest
import zstandard
from fastapi.testclient import TestClient
from sqlalchemy import text
from starlette.routing import BaseRoute, Mount

from api.app import create_app
from data.database import Database
from data.passwords import DEMO_PASSWORD
from data.settings import Settings
from tests.conftest import Furnished

SITE = "https://portal.example.gov.cn"
PUBLIC = "/api/ogc/collections/grids/items"
_VALUES = {
    "srid": "4326", "lon": "122.31", "lat": "43.575", "kind": "json", "collection": "grids",
    "code": "990100001001007", "z": "14", "x": "13761", "y": "6010", "row": "6010",
    "column": "13761", "part": "result", "action": "triage",
}  # fmt: skip
DECODE = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


@pytest.fixture(scope="module")
def city(cluster, furnished: Furnished) -> Iterator[Database]:
    made = furnished.city(cluster, "http_city")
    yield made
    made.engine.dispose()


def settings_of(furnished: Furnished, origins: str = "") -> Settings:
    often = "100000 per minute"
    return Settings(
        public_url="http://localhost",
        home=furnished.home,
        cards_free=often,
        cards_most=often,
        cards_range=often,
        suggestions_most=often,
        reports_most=often,
        cors_origins=origins,
    )


@pytest.fixture(scope="module")
def web(furnished: Furnished, city: Database) -> Iterator[TestClient]:
    with TestClient(create_app(settings_of(furnished), city)) as client:
        yield client


@pytest.fixture
def stranger(web: TestClient) -> TestClient:
    """Somebody whose client says nothing of encodings."""
    return TestClient(web.app, headers={"accept-encoding": "identity"})


@pytest.fixture
def desk(web: TestClient) -> TestClient:
    client = TestClient(web.app, headers={"accept-encoding": "br, gzip"})
    said = {"login": "demo", "password": DEMO_PASSWORD}
    assert client.post("/login", data=said, follow_redirects=False).status_code == 303
    return client


def addresses(routes: list[BaseRoute]) -> Iterator[tuple[str, set[str]]]:
    """Every address of the application, with something in place of each parameter."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from addresses(inner.routes)
        elif isinstance(route, Mount):
            yield f"{route.path}/desk.css", {"GET"}
        else:
            path = re.sub(
                r"\{(\w+)(?::\w+)?\}", lambda found: _VALUES.get(found[1], "1"), route.path
            )
            yield path, set(route.methods)


def test_every_address_says_its_methods_and_nothing_else(
    web: TestClient, stranger: TestClient
) -> None:
    asked = list(addresses(web.app.routes))
    assert len(asked) > 120
    for path, methods in asked:
        answer = stranger.options(path)
        assert answer.status_code == 204, path
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed >= methods | {"OPTIONS"}, path
        assert ("HEAD" in allowed) is ("GET" in allowed), path
        assert answer.content == b""
        assert "set-cookie" not in answer.headers


def test_head_is_get_without_its_body_wherever_there_is_get(
    web: TestClient, stranger: TestClient
) -> None:
    for path, methods in addresses(web.app.routes):
        if "GET" not in methods:
            continue
        got = stranger.get(path, follow_redirects=False)
        head = stranger.head(path, follow_redirects=False)
        assert head.status_code == got.status_code, path
        assert head.content == b"", path
        for name in ("content-type", "cache-control", "vary", "location"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
        # These say how old something is, or hold a token that is made for them.
        if path not in {"/readyz", "/login", "/report"}:
            assert head.headers.get("content-length") == got.headers.get("content-length"), path


def test_what_is_not_there_has_no_methods(stranger: TestClient) -> None:
    assert stranger.options("/nothing/here").status_code == 404
    assert stranger.head("/nothing/here").status_code == 404
    assert stranger.head("/lost").status_code == 405


def test_a_method_that_is_not_answered_is_told_which_are(stranger: TestClient) -> None:
    answer = stranger.request("DELETE", "/card")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert stranger.request("POST", "/static/desk.css").status_code == 405


def test_the_header_of_a_stream_ends_and_of_a_desk_is_noted(
    desk: TestClient, city: Database
) -> None:
    begin = time.monotonic()
    threads = threading.active_count()
    for _ in range(3):
        answer = desk.head("/api/v1/incidents/feed")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
    assert time.monotonic() - begin < 10
    assert threading.active_count() <= threads + 2
    desk.head("/dispatch")
    desk.app.state.read_log.flush()
    with city.session() as session:
        noted = session.scalars(text("SELECT DISTINCT action FROM audit_read")).all()
    assert "see /dispatch" in noted


@pytest.mark.parametrize("encoding", list(DECODE))
def test_what_is_public_is_compressed_as_the_client_likes(
    web: TestClient, stranger: TestClient, encoding: str
) -> None:
    plain = stranger.get(PUBLIC)
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    with web.stream("GET", PUBLIC, headers={"accept-encoding": encoding}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["etag"] == f"W/{plain.headers['etag']}"
    assert DECODE[encoding](body) == plain.content
    assert len(body) < len(plain.content) / 2
    again = web.get(
        PUBLIC, headers={"accept-encoding": encoding, "if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert "accept-encoding" in again.headers["vary"].lower()


@pytest.mark.parametrize(
    ("path", "is_compressed"),
    [
        ("/static/desk.css", True),
        ("/tiles/plan/14/13761/6010.mvt", True),
        ("/card", True),
        ("/openapi.json", True),
        ("/report/qr.svg", True),
        ("/livez", False),
    ],
)
def test_what_is_long_and_can_be_shorter_is_compressed(
    web: TestClient, path: str, is_compressed: bool
) -> None:
    answer = web.get(path, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    is_long = len(answer.content) >= 500
    assert ("content-encoding" in answer.headers) is (is_compressed and is_long)


@pytest.mark.parametrize("path", ["/dispatch", "/planner", "/account", "/api/v1/incidents"])
def test_what_is_shown_to_somebody_signed_in_is_not_compressed(desk: TestClient, path: str) -> None:
    answer = desk.get(path)
    assert "content-encoding" not in answer.headers
    assert "public" not in answer.headers.get("cache-control", "")


def test_public_data_is_compressed_for_desks_too(desk: TestClient) -> None:
    assert desk.get(PUBLIC).headers["content-encoding"] == "br"
    assert desk.get("/static/desk.css").headers["content-encoding"] == "br"


def test_a_part_of_a_file_is_sent_as_it_is(web: TestClient, stranger: TestClient) -> None:
    whole = stranger.get("/static/desk.css")
    part = web.get("/static/desk.css", headers={"range": "bytes=10-19", "accept-encoding": "gzip"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert "content-encoding" not in part.headers
    # A weak tag does not tell that bytes are the same: the whole is sent.
    weak = {"range": "bytes=10-19", "if-range": f"W/{whole.headers['etag']}"}
    assert web.get("/static/desk.css", headers=weak).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
def test_a_compressed_request_is_refused(web: TestClient, encoding: str) -> None:
    body = zlib.compress(b"q=1")
    answer = web.post("/card", content=body, headers={"content-encoding": encoding})
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    plain = web.post("/card", data={"q": "x"}, headers={"content-encoding": "identity"})
    assert plain.status_code == 200


TAGGED = [
    PUBLIC,
    "/api/ogc/collections",
    "/api/ogc/collections/grids/tiles/WebMercatorQuad/14/6010/13761",
    "/tiles/plan/14/13761/6010.mvt",
    "/tiles/base/14/13761/6010.mvt",
    "/point/4326/122.31,43.575",
    "/card/map/990100001001007.svg",
    "/static/desk.css",
]


@pytest.mark.parametrize("path", TAGGED)
def test_what_the_client_holds_is_not_sent_again(stranger: TestClient, path: str) -> None:
    first = stranger.get(path)
    assert first.status_code == 200
    tag = first.headers["etag"]
    for said in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = stranger.get(path, headers={"if-none-match": said})
        assert (again.status_code, again.content) == (304, b""), said
        assert again.headers["etag"] == tag
        assert again.headers.get("cache-control") == first.headers.get("cache-control")
    for said in ('"x"', tag.strip('"'), ""):
        assert stranger.get(path, headers={"if-none-match": said}).status_code == 200, said
    assert stranger.head(path, headers={"if-none-match": tag}).status_code == 304


def test_tiles_of_a_version_may_be_kept_by_everybody_and_drafts_by_their_readers(
    stranger: TestClient, city: Database
) -> None:
    with city.session() as session:
        version = session.scalar(text("SELECT max(id) FROM generation WHERE upper_inf(valid)"))
    tile = stranger.get(f"/tiles/plan/14/13761/6010.mvt?v={version}")
    assert tile.headers["cache-control"] == "public, max-age=86400, immutable"
    assert stranger.get("/tiles/plan/14/13761/6010.mvt").headers["cache-control"] == "no-cache"


def preflight(web: TestClient, path: str, origin: str, method: str = "GET"):
    asked = {"origin": origin, "access-control-request-method": method}
    return web.options(path, headers=asked)


def test_no_other_site_reads_anything_by_default(web: TestClient) -> None:
    for path in (PUBLIC, "/card", "/dispatch"):
        answer = web.get(path, headers={"origin": SITE})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "access-control-allow-origin" not in preflight(web, path, SITE).headers


@pytest.fixture(scope="module")
def opened(furnished: Furnished, city: Database) -> Iterator[TestClient]:
    with TestClient(create_app(settings_of(furnished, f"*, {SITE}"), city)) as client:
        yield client


def test_everybodys_pages_read_what_names_nobody(opened: TestClient) -> None:
    for path in (PUBLIC, "/tiles/plan/14/13761/6010.mvt", "/open311/v2/services.json"):
        answer = opened.get(path, headers={"origin": "https://elsewhere.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert exposed == {"ETag", "Retry-After", "X-Request-ID"}
        assert "access-control-allow-credentials" not in answer.headers
        said = preflight(opened, path, "https://elsewhere.example").headers
        assert said["access-control-allow-origin"] == "*"


def test_who_is_on_duty_is_read_by_named_sites_alone(opened: TestClient) -> None:
    asked = {"data": {"q": "x"}}
    named = opened.post("/card", headers={"origin": SITE}, **asked)
    assert named.headers["access-control-allow-origin"] == SITE
    assert "origin" in named.headers["vary"].lower()
    other = opened.post("/card", headers={"origin": "https://elsewhere.example"}, **asked)
    assert "access-control-allow-origin" not in other.headers
    assert "origin" in other.headers["vary"].lower()
    assert preflight(opened, "/card", SITE, "POST").headers["access-control-allow-origin"] == SITE
    refused = preflight(opened, "/card", "https://elsewhere.example", "POST")
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "origin", [f"{SITE}.evil.example", "https://evil.example/" + SITE, "null", SITE.upper(), ""]
)
def test_a_site_that_looks_like_a_named_one_is_none(opened: TestClient, origin: str) -> None:
    answer = opened.post("/card", data={"q": "x"}, headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


def test_desks_are_read_by_nobody_elses_pages(opened: TestClient, web: TestClient) -> None:
    paths = {path for path, _ in addresses(web.app.routes)}
    prefixes = ("/api/ogc", "/tiles/base", "/tiles/plan", "/point", "/open311", "/card", "/lost")
    closed = {
        p for p in paths if not p.startswith((*prefixes, "/api/v1/who", "/api/v1/card", "/d/"))
    }
    assert len(closed) > 80
    for path in closed:
        for origin in (SITE, "https://elsewhere.example"):
            said = preflight(opened, path, origin, "POST").headers
            assert not [name for name in said if name.startswith("access-control")], path


def test_nobody_may_ask_beforehand_for_what_is_not_there(opened: TestClient) -> None:
    said = preflight(opened, "/api/ogc/nothing", SITE)
    assert said.status_code == 404
    assert "access-control-allow-origin" not in said.headers
    said = preflight(opened, PUBLIC, SITE, "DELETE")
    assert "access-control-allow-origin" not in said.headers
