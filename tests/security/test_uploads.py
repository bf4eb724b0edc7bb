"""Bodies from strangers: stored before anybody asked who sends them, read inside a request.

The attacks: 300 MB without a cookie were written to the disk by the framework's own reader of
forms; twelve anonymous photos, and 24 anonymous PDFs at once, held every turn at the database; one
author's files held all slots of the worker that runs timers; a file that kills its worker was
tried for ever.
"""

import asyncio
import gzip
import io
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import text

from api import intake, papers, worker
from api.admission import BusyError
from api.app import create_app
from api.clock import periodic_works
from api.converters import MOST_OF_ONE, Converters
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from api.limits import LARGEST_BODY
from api.uploads import MOST_UNDER_WAY
from api.worker import make_worker
from data.bulk import open_source, write_target
from data.bulk.target import GEOMETRY, point_wkb
from data.connections import Pool
from data.database import Database
from data.errors import SourceError
from data.jobs import MOST_RUNNING, MOST_TRIES, MOST_WAITING, UPLOADS, claimed
from data.pictures import redrawn
from data.sandbox import PLAN
from data.sandbox import TABLE as TABLE_LIMITS
from data.settings import Settings
from grids.assign.job import run_job
from maps.paper import printed
from routing.incidents.tables import read_reports
from tests.aside import run_aside

HERE = {"lon": "122.31", "lat": "43.575", "crs": "EPSG:4326"}
TABLE = "lon,lat\n122.31,43.575\n"


@pytest.fixture
def settings(city_settings: Settings, tmp_path: Path) -> Settings:
    return city_settings.model_copy(update={"home": tmp_path})


@pytest.fixture
def web(city: Database, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, city)) as client:
        yield client


def sign_in(web: TestClient) -> None:
    web.post("/login", data={"login": DEMO_LOGIN, "password": DEMO_PASSWORD})
    with web.app.state.database.session() as session:
        web.headers["X-CSRF-Token"] = session.scalar(
            text("SELECT csrf FROM session ORDER BY expires_at DESC LIMIT 1")
        )


def sent_to(
    web: TestClient, path: str, megabytes: int, *, leaves: bool = False, **headers: str
) -> tuple[int, int]:
    """Status of an answer, and how many bytes were read of a body that goes on and on.

    Its sender may leave before its end.
    """
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(megabytes * 16):
            read += 65536
            yield b"x" * 65536

    async def ask() -> int:
        parts = body()
        status = 0

        async def receive() -> dict[str, Any]:
            try:
                return {"type": "http.request", "body": await anext(parts), "more_body": True}
            except StopAsyncIteration:
                if leaves:
                    return {"type": "http.disconnect"}
                return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        kind = "multipart/form-data; boundary=b"
        given = {"host": "localhost", "content-type": kind, **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("192.0.2.9", 1),
            "server": ("localhost", 80),
            "scheme": "http",
        }
        await web.app(scope, receive, send)
        return status

    return web.portal.call(ask), read


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/assign",
        "/api/v1/assign/jobs",
        "/planner/drafts/adopt",
        "/api/v1/incidents/1/photos",
        "/api/v1/incidents/table",
    ],
)
def test_who_may_upload_is_asked_before_the_body_is_read(web: TestClient, path: str) -> None:
    status, read = sent_to(web, path, 300)
    assert status in {303, 401, 403}
    assert read == 0


def posted_to(web: TestClient) -> list[Any]:
    """Every route that takes a body."""
    routes: list[Any] = []
    for route in web.app.routes:
        inner = getattr(route, "original_router", None)
        routes += inner.routes if inner is not None else [route]
    return [one for one in routes if {"POST", "PUT"} & set(getattr(one, "methods", None) or ())]


def test_no_path_reads_a_body_without_an_end(web: TestClient) -> None:
    """Also where a form, or a file, is parsed by the framework."""
    seen = set()
    for route in posted_to(web):
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        for kind in ("multipart/form-data; boundary=b", "application/x-www-form-urlencoded"):
            status, read = sent_to(web, path, 30, **{"content-type": kind})
            assert status, path
            # A photo with a report is the most that a stranger's body holds.
            assert read <= 13_000_000, path
            if path != "/report":
                assert read <= LARGEST_BODY + 65536, path
            seen.add(path)
    assert len(seen) > 20


def test_who_leaves_in_the_middle_is_no_failure_of_the_program(web: TestClient) -> None:
    """Each left a traceback in the log, which then held nothing else."""
    sign_in(web)
    own = {"cookie": f"onegrid_session={web.cookies['onegrid_session']}"}
    own |= {"x-csrf-token": web.headers["X-CSRF-Token"]}
    for route in posted_to(web):
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        status, _ = sent_to(web, path, 1, leaves=True, **own)
        assert 300 <= status < 500, path


def test_a_file_needs_the_sessions_token(web: TestClient) -> None:
    sign_in(web)
    files = {"file": ("in.csv", TABLE)}
    for token in ("", "another"):
        web.headers["X-CSRF-Token"] = token
        for path in ("/api/v1/assign/jobs", "/api/v1/incidents/table"):
            assert web.post(path, files=files).status_code == 403, path


def test_a_report_is_counted_before_its_photo_is_read(web: TestClient) -> None:
    web.app.state.guard.forget()
    statuses = [sent_to(web, "/report", 1, **{"content-length": "1"})[0] for _ in range(21)]
    assert statuses[-1] == 429
    assert sent_to(web, "/report", 12, **{"content-length": "12000000"}) == (429, 0)
    web.app.state.guard.forget()


def reported_and_printed(web: TestClient, key: str) -> Any:
    """The answer to a stranger who has reported something with a photo, and prints a card."""
    web.app.state.guard.forget()
    picture = io.BytesIO()
    Image.new("RGB", (40, 30)).save(picture, "JPEG")
    form = {"class_code": "E01", "key": key, "place": "122.31, 43.575"}
    files = {"photo": ("a.jpg", picture.getvalue(), "image/jpeg")}
    assert web.post("/report", data=form, files=files, follow_redirects=False).status_code == 303
    card = web.post("/card", data=HERE).text
    handle = card.partition('name="handle" value="')[2].partition('"')[0]
    return web.post("/card/file", data={"handle": handle, "kind": "a6"})


def test_photos_and_papers_hold_no_turn(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    free = []
    turns = web.app.state.admission._turns

    def drawn(content: bytes, **how: Any) -> bytes:
        free.append(turns._value)
        return redrawn(content, **how)

    def on_paper(page: str) -> bytes:
        free.append(turns._value)
        return printed(page)

    monkeypatch.setattr("routing.incidents.photos.redrawn", drawn)
    monkeypatch.setattr(papers, "printed", on_paper)
    assert reported_and_printed(web, "uploads-1234").content.startswith(b"%PDF")
    sign_in(web)
    assert web.get("/dispatch/ledger/print.pdf").content.startswith(b"%PDF")
    assert free == [Pool().kept] * 3


def test_a_table_of_reports_is_read_apart_and_holds_no_turn(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = []
    turns = web.app.state.admission._turns

    def read(path: Path, **how: Any) -> Any:
        free.append(turns._value)
        assert how["limits"] == PLAN
        return read_reports(path, **how)

    monkeypatch.setattr(intake, "read_reports", read)
    sign_in(web)
    for table, status, told in (
        ("class,x,y\nE01,122.31,43.575\n", 200, '"taken":1'),
        ("class,x,y\n", 422, "the table has no row"),
        ("class,x\nE01,122.31\n", 422, "no column y"),
        ('class,x,y\nE01,122.31,"' + "9" * 200_000 + '"\n', 422, "the table, line 2"),
    ):
        path = "/api/v1/incidents/table?crs=EPSG:4326"
        answer = web.post(path, content=table)
        assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert free == [Pool().kept] * 4


def test_papers_of_cards_are_counted_as_cards(city: Database, settings: Settings) -> None:
    few = settings.model_copy(update={"cards_free": "3 per 10 minutes"})
    with TestClient(create_app(few, city)) as web:
        web.app.state.guard.forget()
        card = web.post("/card", data=HERE).text
        handle = card.partition('name="handle" value="')[2].partition('"')[0]
        asked = {"handle": handle, "kind": "a6"}
        statuses = [web.post("/card/file", data=asked).status_code for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        web.app.state.guard.forget()


def test_so_many_converters_run_and_wait_and_no_more() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def convert() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    async def ask() -> list[object]:
        gate = Converters(2)
        asked = (gate.run(convert) for _ in range(60))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run_aside(ask)
    assert most == 2
    assert sum(isinstance(answer, BusyError) for answer in answers) == 60 - 2 - 16


def test_one_address_has_few_converters_and_leaves_the_rest() -> None:
    release = threading.Event()

    async def ask() -> tuple[list[object], str]:
        gate = Converters(1)
        flood = [
            asyncio.create_task(gate.run(release.wait, 10, asks="stranger")) for _ in range(20)
        ]
        await asyncio.sleep(0.05)
        refused = sum(task.done() for task in flood)
        assert refused == 20 - MOST_OF_ONE
        other = asyncio.create_task(gate.run(lambda: "drawn", asks="another"))
        await asyncio.sleep(0.05)
        release.set()
        answers = await asyncio.gather(*flood, return_exceptions=True)
        assert not gate._of - Counter(another=1)
        return answers, await other

    answers, other = run_aside(ask)
    assert sum(isinstance(answer, BusyError) for answer in answers) == 20 - MOST_OF_ONE
    assert other == "drawn"


def test_strangers_take_no_turn_of_the_staff(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty photos at once made the staff's papers wait, and fail."""
    taken = []

    async def run(self: Converters, convert: Any, *arguments: object, asks: str = "") -> Any:
        names = {id(web.app.state.converters): "staff", id(web.app.state.public_converters): "all"}
        taken.append((names[id(self)], bool(asks)))
        return convert(*arguments)

    monkeypatch.setattr(Converters, "run", run)
    assert reported_and_printed(web, "uploads-5678").status_code == 200
    sign_in(web)
    assert web.get("/dispatch/ledger/print.pdf").status_code == 200
    web.app.state.guard.forget()
    assert taken == [("all", True), ("all", True), ("staff", False)]


def test_deep_shapes_of_programs_are_refused(web: TestClient) -> None:
    sign_in(web)
    for depth in (100, 400, 5000, 200_000):
        head, tail = '{"type":"GeometryCollection","geometries":[', "]}"
        shape = head * depth + '{"type":"Point","coordinates":[122.31,43.575]}' + tail * depth
        body = f'{{"crs":"EPSG:4326","geometry":{shape}}}'
        answer = web.post(
            "/api/v1/assign/shares", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in {200, 400, 413, 422}, (depth, answer.text[:200])


def test_an_author_has_so_many_files_under_way(web: TestClient, city: Database) -> None:
    sign_in(web)
    files = {"file": ("in.csv", TABLE)}
    form = {"crs": "EPSG:4326"}
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(web.post, "/api/v1/assign/jobs", files=files, data=form)
            for _ in range(MOST_RUNNING + MOST_WAITING + 3)
        ]
        statuses = sorted(one.result().status_code for one in asked)
    assert statuses == [202] * 12 + [429] * 3
    with city.session() as session:
        lanes = session.scalars(
            text("SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'todo' GROUP BY lock")
        ).all()
        queues = session.scalars(
            text("SELECT DISTINCT queue_name FROM jobs.procrastinate_jobs")
        ).all()
    assert sorted(lanes) == [6, 6]
    assert queues == [UPLOADS]


def test_a_turn_of_the_worker_is_left_for_another_author() -> None:
    assert worker._AT_ONCE > MOST_RUNNING


def test_few_files_of_an_account_come_in_at_once(web: TestClient) -> None:
    """Asked before a byte of the body is read."""
    sign_in(web)
    cookie = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
    inside, go_on = threading.Barrier(MOST_UNDER_WAY + 1), threading.Event()

    def held() -> None:
        with web.app.state.under_way.one(who):
            inside.wait(10)
            go_on.wait(10)

    who = SimpleNamespace(county=web.app.state.settings.county, login=DEMO_LOGIN)
    holders = [threading.Thread(target=held) for _ in range(MOST_UNDER_WAY)]
    for one in holders:
        one.start()
    inside.wait(10)
    paths = ("/api/v1/assign/jobs", "/planner/drafts/adopt")
    token = {"x-csrf-token": web.headers["X-CSRF-Token"]}
    told = [sent_to(web, path, 3, cookie=cookie, **token) for path in paths]
    go_on.set()
    for one in holders:
        one.join()
    assert told == [(429, 0)] * 2
    assert not web.app.state.under_way._counts


def test_what_an_author_has_is_bounded_and_may_be_deleted(
    web: TestClient, city: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begun(web)
    run_job(city, settings.jobs_dir, settings.locators_dir, number)
    place = f"/api/v1/assign/jobs/{number}"
    monkeypatch.setattr("data.jobs.MOST_HELD", 50)
    cookie = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
    token = {"x-csrf-token": web.headers["X-CSRF-Token"]}
    assert sent_to(web, "/api/v1/assign/jobs", 3, cookie=cookie, **token) == (429, 0)
    assert web.delete(place).status_code == 204
    assert not (settings.jobs_dir / str(number)).exists()
    assert web.get(place).status_code == 404
    waiting = begun(web)
    place = f"/api/v1/assign/jobs/{waiting}"
    assert web.delete(place).status_code == 409
    run_job(city, settings.jobs_dir, settings.locators_dir, waiting)
    said = web.get(place).json()
    assert said["state"] == "failed"
    assert "more than 0 MB" in said["reason"]


def test_a_packed_table_unpacks_to_so_much_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"lon,lat\n" + b"122.31,43.575\n" * 400_000))
    assert path.stat().st_size < 30_000
    few = replace(TABLE_LIMITS, output_bytes=5_000_000)
    with pytest.raises(SourceError, match="unpacked"), open_source(path, limits=few) as source:
        list(source.chunks(100_000))


@pytest.mark.parametrize("suffix", [".csv", ".geojson", ".gpkg", ".parquet"])
def test_a_result_that_grows_too_large_is_not_written(tmp_path: Path, suffix: str) -> None:
    words = [f"{n:032d}" for n in range(4000)]
    rows = pa.table([pa.array(words), point_wkb(np.zeros(4000), np.zeros(4000))], ["a", GEOMETRY])
    parts = [tmp_path / f"{n}.parquet" for n in range(3)]
    for part in parts:
        pq.write_table(rows, part)
    target = tmp_path / f"out{suffix}"
    with pytest.raises(SourceError, match="fewer columns"):
        write_target(parts, target, most_bytes=2000)
    assert sorted(tmp_path.iterdir()) == parts


def test_timers_and_files_have_processes_of_their_own(city: Database, settings: Settings) -> None:
    tasks = make_worker(city, settings).tasks
    own = {name: task.queue for name, task in tasks.items() if "." not in name}
    assert own == {"assign_table": UPLOADS}
    timed = {one.name for one in periodic_works(city, settings)}
    assert {"timers", "notices", "positions", "stalled", "jobs"} <= timed


def begun(web: TestClient) -> int:
    sign_in(web)
    answer = web.post(
        "/api/v1/assign/jobs", files={"file": ("in.csv", TABLE)}, data={"crs": "EPSG:4326"}
    )
    return int(answer.json()["job"])


def test_a_file_that_kills_its_worker_is_tried_three_times(
    web: TestClient, city: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begun(web)
    tried = []

    def killed(*_: object, **__: object) -> None:
        tried.append(number)
        raise KeyboardInterrupt  # nothing is written any more, as by kill -9

    with monkeypatch.context() as patch:
        patch.setattr("grids.assign.job._assign", killed)
        for _ in range(MOST_TRIES):
            with pytest.raises(KeyboardInterrupt):
                run_job(city, settings.jobs_dir, settings.locators_dir, number)
        run_job(city, settings.jobs_dir, settings.locators_dir, number)
    assert len(tried) == MOST_TRIES
    said = web.get(f"/api/v1/assign/jobs/{number}").json()
    assert said["state"] == "failed"
    assert "not tried again" in said["reason"]


def test_a_job_is_worked_on_by_one_process(
    web: TestClient, city: Database, settings: Settings
) -> None:
    number = begun(web)
    with claimed(city, number) as is_ours:
        assert is_ours
        run_job(city, settings.jobs_dir, settings.locators_dir, number)
        assert web.get(f"/api/v1/assign/jobs/{number}").json()["state"] == "waiting"
    run_job(city, settings.jobs_dir, settings.locators_dir, number)
    assert web.get(f"/api/v1/assign/jobs/{number}").json()["state"] == "done"


def test_messages_name_no_path_of_the_server(
    web: TestClient, city: Database, settings: Settings
) -> None:
    sign_in(web)
    places = []
    for name, content in (("a.csv", "\n\n"), ("b.xlsx", "PKx"), ("c.gpkg", "SQLite format 3\0x")):
        files, form = {"file": (name, content)}, {"crs": "EPSG:4326"}
        made = web.post("/api/v1/assign/jobs", files=files, data=form)
        places.append((name, made.headers["location"], made.json()["job"]))
    for name, place, number in places:
        run_job(city, settings.jobs_dir, settings.locators_dir, number)
        said = web.get(place).json()
        assert said["state"] == "failed", said
        assert name in said["reason"], said
        assert str(settings.home) not in said["reason"]
        assert "/tmp" not in said["reason"]  # noqa: S108 - looked for, not used
