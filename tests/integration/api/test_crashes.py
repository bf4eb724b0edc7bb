"""Server and PostGIS are killed at random instants: nothing acknowledged is lost.

``ONEGRID_CRASHES=200,20`` runs it at full length (edits, publications).
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.demo import DEMO_LOGIN, DEMO_PASSWORD, DEMO_REVIEWER, furnish
from data import migrate
from data.cluster import Cluster
from data.database import Database
from data.errors import StateError
from data.models import Generation
from data.presets import seed_presets
from data.settings import DEMO_COUNTY as COUNTY
from gis.errors import GeometryError
from grids.drafting import Workbench
from grids.redraw import DraftState, EditRefusedError, apply, operation_to_json, resolve
from tests.conftest import ROOT, free_port
from tests.invariants import assert_plan_holds
from tests.redraw import random_operation

EDITS, PUBLICATIONS = map(int, os.environ.get("ONEGRID_CRASHES", "24,3").split(","))
PORT = free_port()
TOWNS = ("990100001001", "990100001002", "990100001200")


class Machine:
    """A durable cluster and a web server that can be killed and come back."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster = Cluster(home, durable=True)
        self.cluster.ensure_running()
        self.database = Database.at(self.cluster.url, pooled=False)
        self.database.prepare()
        migrate.upgrade(self.database.engine)
        with self.database.session() as session:
            seed_presets(session)
        assert furnish(self.database, home)
        self.server: subprocess.Popen | None = None
        self.kills = {"server": 0, "PostGIS": 0}
        self._lock = threading.Lock()

    def serve(self) -> None:
        url = self.database.engine.url.render_as_string().replace("+psycopg", "")
        environment = os.environ | {"ONEGRID_HOME": str(self.home), "ONEGRID_DATABASE_URL": url}
        code = "from api.cli import main; main()"
        command = [sys.executable, "-c", code, "serve", "--port", str(PORT)]
        self.server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )

    def kill(self, what: str) -> None:
        """Kill without a word, and start again."""
        with self._lock:
            self.kills[what] += 1
            if what == "server":
                self.server.kill()
                self.server.wait()
            else:
                first = (self.cluster.data_dir / "postmaster.pid").read_text().split()[0]
                os.kill(int(first), signal.SIGKILL)
                time.sleep(0.2)
                self.cluster.ensure_running()
            if self.server.poll() is not None:
                self.serve()

    def end(self) -> None:
        self.server.kill()
        self.server.wait()
        self.cluster.destroy()


class Stubborn:
    """A client that signs in and asks again until it is answered."""

    def __init__(self, machine: Machine, login: str) -> None:
        self.machine, self.login = machine, login
        self.web = httpx2.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=20)
        self.csrf = ""

    def get(self, path: str) -> dict:
        while True:
            answer = self._try("GET", path, None, 0)
            if answer is not None and answer.status_code == 200:
                return answer.json()
            time.sleep(0.05)

    def post(self, path: str, body: dict, version: int) -> httpx2.Response | None:
        """One attempt; None where nothing was acknowledged."""
        return self._try("POST", path, body, version)

    def _try(self, method: str, path: str, body: dict | None, version: int):
        try:
            if not self.csrf:
                self._sign_in()
            headers = {"X-CSRF-Token": self.csrf, "If-Match": f'"{version}"'}
            answer = self.web.request(method, f"/api/v1/drafts{path}", json=body, headers=headers)
        except (httpx2.HTTPError, DBAPIError):
            time.sleep(0.05)
            return None
        if answer.status_code in {401, 403}:
            self.csrf = ""
        return answer

    def _sign_in(self) -> None:
        form = {"login": self.login, "password": DEMO_PASSWORD}
        done = self.web.post("/login", data=form)
        if done.status_code >= 500:
            raise httpx2.ReadError("not signed in")
        query = (
            "SELECT csrf FROM session JOIN account ON account.id = account_id "
            "WHERE login = :login ORDER BY expires_at DESC LIMIT 1"
        )
        with self.machine.database.session() as session:
            self.csrf = session.scalar(text(query), {"login": self.login}) or ""


@pytest.fixture
def machine() -> Iterator[Machine]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-crash-"))
    home.chmod(0o755)
    made = Machine(home)
    made.serve()
    yield made
    made.end()
    shutil.rmtree(home, ignore_errors=True)


def an_operation(machine: Machine, rng: random.Random, draft: int) -> dict:
    """A valid edit of the draft as the database has it now."""
    while True:
        try:
            with machine.database.session() as session:
                held = session.get_one(Generation, draft)
                bench = Workbench(COUNTY)
                plans = {code: bench.community(session, held, code) for code in TOWNS}
                state = DraftState(plans)
                asked = resolve(state, random_operation(rng, plans))
                apply(state, asked, held.head + 1)
        except (EditRefusedError, GeometryError, DBAPIError, StateError):
            continue
        return operation_to_json(asked)


def test_nothing_acknowledged_is_lost(machine: Machine) -> None:
    rng = random.Random(5)  # noqa: S311 - a test's dice
    stop = threading.Event()

    def kill_at_random() -> None:
        dice = random.Random(6)  # noqa: S311 - same
        while not stop.wait(dice.uniform(0.5, 7.0)):
            machine.kill(dice.choice(["server", "PostGIS"]))

    planner, reviewer = Stubborn(machine, DEMO_LOGIN), Stubborn(machine, DEMO_REVIEWER)
    planner.get("")
    killer = threading.Thread(target=kill_at_random)
    killer.start()
    acknowledged: list[tuple[int, int, str]] = []
    published: list[int] = []
    try:
        for number in range(PUBLICATIONS):
            draft = begin(planner, f"draft {number}")
            each = range(EDITS // PUBLICATIONS)
            acknowledged += [edit(machine, planner, rng, draft) for _ in each]
            publish_through(planner, reviewer, draft)
            published.append(draft)
    finally:
        stop.set()
        killer.join()
        planner.web.close()
        reviewer.web.close()
    assert min(machine.kills.values()) > 0, machine.kills
    assert_all_is_there(machine, acknowledged, published)


def begin(planner: Stubborn, title: str) -> int:
    while True:
        answer = planner.post("", {"title": title}, 0)
        if answer is not None and answer.status_code == 201:
            return answer.json()["draft"]


def edit(
    machine: Machine, planner: Stubborn, rng: random.Random, draft: int
) -> tuple[int, int, str]:
    """Try edits until one is acknowledged: its draft, position and operation."""
    while True:
        asked = an_operation(machine, rng, draft)
        seen = planner.get(f"/{draft}")
        answer = planner.post(f"/{draft}/edits", asked, seen["version"])
        if answer is not None and answer.status_code == 200:
            return draft, answer.json()["head"], asked["operation"]


def publish_through(planner: Stubborn, reviewer: Stubborn, draft: int) -> None:
    """Submit, approve and publish; each step again until the draft stands there."""
    steps = {
        "draft": (planner, f"/{draft}/steps/submit"),
        "review": (reviewer, f"/{draft}/steps/approve"),
        "approved": (reviewer, f"/{draft}/publish"),
    }
    while (state := reviewer.get(f"/{draft}")["state"]) != "published":
        client, path = steps[state]
        answer = client.post(path, {}, 0)
        # A step that was taken, though nobody was told, is asked for again and refused once.
        if answer is not None and answer.status_code == 409:
            now = reviewer.get(f"/{draft}")["state"]
            assert now != state, f"{path}: {answer.text}"


def assert_all_is_there(
    machine: Machine, acknowledged: list[tuple[int, int, str]], published: list[int]
) -> None:
    machine.cluster.ensure_running()
    with machine.database.session() as session:
        edits = session.execute(text("SELECT generation_id, position, operation FROM edit"))
        held = {tuple(row) for row in edits}
        assert set(acknowledged) <= held
        states = dict(
            session.execute(
                text("SELECT id, state FROM generation WHERE id = ANY (:ids)"), {"ids": published}
            ).all()
        )
        assert states == dict.fromkeys(published, "published")
        gaps = session.scalar(
            text(
                "SELECT count(*) FROM (SELECT upper(valid) AS ends, lead(lower(valid)) OVER "
                "(ORDER BY valid) AS next FROM generation WHERE valid IS NOT NULL) AS line "
                "WHERE next IS NOT NULL AND ends <> next"
            )
        )
        assert gaps == 0, "one generation after the other, without a gap"
        assert_plan_holds(session, COUNTY)
    for draft in published:
        with machine.database.session() as session:
            count = session.scalar(
                text(
                    "SELECT count(*) FROM review_step WHERE generation_id = :d AND step = 'publish'"
                ),
                {"d": draft},
            )
            assert count == 1, "published once"
