"""Many clients at work on incidents, while the programs under them are killed and come back."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from data.accounts import add_account
from data.cluster import Cluster
from data.database import Database
from data.models import NoticeChannel
from tests.conftest import ROOT, free_port

PASSWORD = "a stormy Password 1"
# How long a server may take to start on a busy machine, and a storm to do some work there.
_START_S, _PATIENCE_S = 30.0, 120.0
_STEPS = ("take", "report", "verify", "follow_up", "rework", "close", "recall", "void", "return")


@dataclass
class Told:
    """What the server has acknowledged: receipt → incident, and (incident, receipt) of steps."""

    reports: dict[str, int] = field(default_factory=dict)
    steps: set[tuple[int, str]] = field(default_factory=set)
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Gateway(BaseHTTPRequestHandler):
    """Takes notices; what has come twice under a key is shown once."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.shown.setdefault(body["key"], 0)
        self.server.shown[body["key"]] += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Storm:
    """A durable cluster, a web server, a worker and a gateway; all but the last are killed."""

    def __init__(self, cluster: Cluster, database: Database, home: Path, *, county: str) -> None:
        self.cluster, self.database, self.home, self.county = cluster, database, home, county
        self.port = free_port()
        self.kills = {"web": 0, "worker": 0, "PostGIS": 0}
        self.programs: dict[str, subprocess.Popen] = {}
        self.gateway = ThreadingHTTPServer(("127.0.0.1", 0), _Gateway)
        self.gateway.shown = {}
        threading.Thread(target=self.gateway.serve_forever, daemon=True).start()
        with database.session() as session:
            inside = text(
                "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
                "WHERE upper_inf(valid) ORDER BY id LIMIT 2000) AS one"
            )
            self.places = [tuple(row) for row in session.execute(inside)]
            address = f"http://127.0.0.1:{self.gateway.server_port}/"
            kinds = ["accept", "dispatch", "report"]
            session.add(
                NoticeChannel(
                    county=county, code="storm", channel="webhook", target=address, kinds=kinds
                )
            )

    def start(self, what: str) -> None:
        url = self.database.engine.url.render_as_string(hide_password=False)
        environment = os.environ | {
            "ONEGRID_HOME": str(self.home),
            "ONEGRID_DATABASE_URL": url.replace("+psycopg", ""),
            "ONEGRID_COUNTY": self.county,
            "ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8",
        }
        options = ["serve", "--port", str(self.port)] if what == "web" else ["worker"]
        command = [sys.executable, "-c", "from api.cli import main; main()", *options]
        with (self.home / f"{what}.log").open("ab") as log:
            self.programs[what] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stderr=log, stdout=log
            )

    def kill(self, what: str) -> None:
        """Kill without a word, and start again whatever is down."""
        self.kills[what] += 1
        if what == "PostGIS":
            first = (self.cluster.data_dir / "postmaster.pid").read_text().split()[0]
            os.kill(int(first), signal.SIGKILL)
            time.sleep(0.2)
            self.cluster.ensure_running()
        else:
            self.programs[what].kill()
            self.programs[what].wait()
        for name, program in self.programs.items():
            if program.poll() is not None:
                self.start(name)

    def run(self, clients: int, seconds: float, seed: int = 3) -> Told:
        """Let clients work for some seconds; give the worker time to carry what is left.

        On a busy machine it lasts until some work was done: a server that is killed before it
        answers shows nothing.
        """
        told, stop = Told(), threading.Event()
        accounts = [f"storm-{n}" for n in range(min(clients, 20))]
        with self.database.session() as session:
            for login in accounts:
                add_account(session, self.county, login, login, PASSWORD, ("dispatcher", "centre"))
        for what in ("web", "worker"):
            self.start(what)
        signed = [Seat(self, login) for login in accounts]
        workers = [
            Client(self, signed[n % len(signed)], told, stop, seed + n) for n in range(clients)
        ]
        for one in workers:
            one.start()
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        ends = time.monotonic() + seconds
        order = ["web", "PostGIS", "worker"]
        while (now := time.monotonic()) < ends or (
            now < ends + _PATIENCE_S and self._is_calm(told)
        ):
            time.sleep(dice.uniform(2.0, 6.0))
            if not told.steps:
                self._await_work(told)
            self.kill(order.pop(0) if order else dice.choice(list(self.kills)))
        stop.set()
        for one in workers:
            one.join(timeout=60)
        self._await_delivery()
        for program in self.programs.values():
            program.terminate()
            program.wait(timeout=30)
        self.gateway.shutdown()
        self.gateway.server_close()
        return told

    def _is_calm(self, told: Told) -> bool:
        """Whether nothing was done yet, or something was never killed."""
        return not told.steps or not all(self.kills.values())

    def _await_work(self, told: Told) -> None:
        deadline = time.monotonic() + _START_S
        while not told.steps and time.monotonic() < deadline:
            time.sleep(0.2)

    def _await_delivery(self) -> None:
        query = text("SELECT count(*) FROM outbox WHERE state = 'waiting'")
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            for name, program in self.programs.items():
                if program.poll() is not None:
                    self.start(name)
            with self.database.session() as session:
                session.execute(text("UPDATE outbox SET next_at = now() WHERE state = 'waiting'"))
                if not session.scalar(query):
                    return
            time.sleep(1)


class Seat:
    """A session that several clients share, signed in again where it was lost."""

    def __init__(self, storm: Storm, login: str) -> None:
        self._storm, self._login = storm, login
        self._changing = threading.Lock()
        self.cookie, self.csrf = "", ""

    def sign_in(self, stale: str) -> None:
        with self._changing:
            if self.cookie != stale:  # somebody else was faster
                return
            base = f"http://127.0.0.1:{self._storm.port}"
            with httpx2.Client(base_url=base, timeout=20) as web:
                done = web.post("/login", data={"login": self._login, "password": PASSWORD})
                cookie = web.cookies.get("onegrid_session", "")
            if done.status_code >= 400 or not cookie:
                raise httpx2.ReadError("not signed in")
            query = (
                "SELECT csrf FROM session JOIN account ON account.id = account_id "
                "WHERE login = :login ORDER BY expires_at DESC LIMIT 1"
            )
            with self._storm.database.session() as session:
                self.csrf = session.scalar(text(query), {"login": self._login}) or ""
            self.cookie = cookie


class Client(threading.Thread):
    """Reports, sends and carries on; whatever was not acknowledged is sent again as it was."""

    def __init__(
        self, storm: Storm, seat: Seat, told: Told, stop: threading.Event, seed: int
    ) -> None:
        super().__init__(daemon=True)
        self._storm, self._seat, self._told, self._stop_it = storm, seat, told, stop
        self._dice = random.Random(seed)  # noqa: S311 - a test's dice
        self._web = httpx2.Client(base_url=f"http://127.0.0.1:{storm.port}", timeout=20)
        self._mine: list[int] = []

    def run(self) -> None:
        while not self._stop_it.is_set():
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - told by the test, not swallowed
                with self._told.lock:
                    self._told.errors.append(repr(error))
                break
        self._web.close()

    def _work(self) -> None:
        if len(self._mine) < 3 or self._dice.random() < 0.2:
            self._report()
        elif self._dice.random() < 0.3:
            self._send(self._dice.choice(self._mine))
        else:
            self._step(self._dice.choice(self._mine), self._dice.choice(_STEPS))

    def _report(self) -> None:
        receipt = secrets.token_hex(8)
        lon, lat = self._dice.choice(self._storm.places)
        body = {
            "class_code": self._dice.choice(["E01", "E05", "P01"]),
            "x": lon,
            "y": lat,
            "crs": "EPSG:4326",
            "description": receipt,
            "receipt_key": receipt,
        }
        answer = self._insist("", body)
        if answer is not None and answer.status_code in {200, 201}:
            with self._told.lock:
                self._told.reports[receipt] = answer.json()["incident"]
            self._mine.append(answer.json()["incident"])

    def _send(self, incident: int) -> None:
        path = f"/api/v1/incidents/{incident}/recommendation"
        advice = self._ask("GET", path, None)
        if advice is None or advice.status_code != 200:
            return
        people = [one["person_id"] for one in advice.json()["candidates"]]
        if people:
            person = self._dice.choice(people)
            self._ask("POST", f"/api/v1/incidents/{incident}/send", {"person": person})

    def _step(self, incident: int, action: str) -> None:
        receipt = secrets.token_hex(8)
        body = {
            "receipt_key": receipt,
            "reason": "r",
            "result": "r",
            "satisfaction": "satisfied",
        }
        answer = self._insist(f"/{incident}/{action}", body)
        if answer is None:
            return
        with self._told.lock:
            if answer.status_code == 200:
                self._told.steps.add((incident, receipt))
            else:
                self._told.refused += 1

    def _insist(self, path: str, body: dict) -> httpx2.Response | None:
        """Send until there is an answer; the receipt makes it one."""
        for _ in range(200):
            answer = self._ask("POST", f"/api/v1/incidents{path}", body)
            if answer is not None and answer.status_code < 500:
                return answer
            if self._stop_it.is_set():
                return None
            time.sleep(self._dice.uniform(0.1, 0.5))
        return None

    def _ask(self, method: str, path: str, body: dict | None) -> httpx2.Response | None:
        cookie = self._seat.cookie
        try:
            if not cookie:
                self._seat.sign_in(cookie)
            headers = {
                "Cookie": f"onegrid_session={self._seat.cookie}",
                "X-CSRF-Token": self._seat.csrf,
            }
            answer = self._web.request(method, path, json=body, headers=headers)
            if answer.status_code == 401 or "expired" in answer.text:
                self._seat.sign_in(cookie)
                return None
        except (httpx2.HTTPError, DBAPIError):
            # Two hundred that ask again at once would keep a server from coming back.
            time.sleep(self._dice.uniform(0.2, 1.0))
            return None
        return answer


def assert_nothing_lost(database: Database, storm: Storm, told: Told) -> None:
    """By the database alone, and by what the gateway was sent."""
    assert not told.errors, told.errors[:3]
    with database.session() as session:
        held = dict(
            session.execute(
                text("SELECT receipt_key, id FROM incident WHERE receipt_key = ANY (:keys)"),
                {"keys": list(told.reports)},
            ).all()
        )
        assert held == told.reports, "each acknowledged report is the incident that was told"
        rows = session.execute(
            text(
                "SELECT incident_id, detail->>'receipt' AS receipt, count(*) FROM incident_event "
                "WHERE detail ? 'receipt' GROUP BY 1, 2"
            )
        ).all()
        done = {(row.incident_id, row.receipt): row.count for row in rows}
        assert told.steps <= set(done), "each acknowledged step is in the course"
        assert set(done.values()) <= {1}, "none is there twice"
        assert_whole(session)
        missing = session.scalar(
            text(
                "SELECT count(*) FROM incident_event AS e JOIN incident ON incident.id = "
                "e.incident_id WHERE e.kind IN ('accept', 'dispatch', 'report') "
                "AND incident.channel = 'console' AND NOT EXISTS (SELECT 1 FROM outbox "
                "WHERE outbox.incident_id = e.incident_id AND subject = e.kind "
                "AND channel = 'webhook' AND state = 'sent')"
            )
        )
        assert missing == 0, "each step that is to be told was carried"
        keys = set(session.scalars(text("SELECT key FROM outbox WHERE channel = 'webhook'")))
    assert set(storm.gateway.shown) == keys, "under its key: shown once"


def assert_whole(session) -> None:
    """No state that the course does not lead to, and nobody in two places."""
    twice = session.scalar(
        text(
            "SELECT count(*) FROM (SELECT person_id FROM dispatch WHERE state = 'open' "
            "GROUP BY person_id HAVING count(*) > 1) AS more"
        )
    )
    assert twice == 0, "nobody is sent to two cases"
    broken = session.scalar(
        text(
            "SELECT count(*) FROM (SELECT incident_id, state_before, lag(state_after) OVER "
            "(PARTITION BY incident_id ORDER BY id) AS came FROM incident_event "
            "WHERE state_after IS NOT NULL) AS line WHERE came IS NOT NULL AND came <> state_before"
        )
    )
    assert broken == 0, "each step begins where the one before ended"
    apart = session.scalar(
        text(
            "SELECT count(*) FROM incident JOIN LATERAL (SELECT state_after FROM incident_event "
            "WHERE incident_id = incident.id AND state_after IS NOT NULL ORDER BY id DESC LIMIT 1"
            ") AS last ON true WHERE last.state_after <> incident.state"
        )
    )
    assert apart == 0, "a case is where its course ended"
    orders = session.scalar(
        text(
            "SELECT count(*) FROM dispatch JOIN incident ON incident.id = incident_id "
            "WHERE dispatch.state = 'open' AND (incident.state NOT IN ('dispatched', 'handled', "
            "'extension') OR incident.person_id IS DISTINCT FROM dispatch.person_id)"
        )
    )
    assert orders == 0, "an open order is of somebody who is on it"
