"""The metrics of all processes: read without a turn and without the database."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import CheckConstraint, text

from api.app import create_app
from api.errors import _REFUSED
from data.database import Database
from data.jobs import TASK
from data.metric_files import Place
from data.models.notices import NoticeChannel
from data.settings import Settings
from tests.conftest import ROOT, create_database

DEPLOY = ROOT / "deploy"
# Of Prometheus itself.
OF_PROMETHEUS = {"up"}
ENDINGS = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}


@pytest.fixture(scope="module")
def metrics_database(cluster, template: str) -> Iterator[Database]:
    made = create_database(cluster, "metrics_test", template)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def web(
    metrics_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, metrics="local", public_url="http://localhost")
    with metrics_database.session() as session:
        session.execute(
            text(
                "INSERT INTO outbox (county, key, channel, address, subject, content, made_at) "
                "VALUES (:county, 'k', 'webhook', 'http://localhost:9', 'x', '{}', "
                "now() - interval '10 minutes')"
            ),
            {"county": settings.county},
        )
    app = create_app(settings, metrics_database)
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 5000)) as client:
        deadline = time.monotonic() + 30
        while "onegrid_gathered_age_seconds{" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield client


def families(web: TestClient) -> dict[str, list]:
    found = text_string_to_metric_families(web.get("/metrics").text)
    return {family.name: family.samples for family in found}


def test_one_scrape_tells_of_each_thing(web: TestClient) -> None:
    web.get("/livez")
    found = families(web)
    requests = {(s.labels["route"], s.labels["status"]) for s in found["onegrid_http_requests"]}
    assert ("/livez", "200") in requests
    turns = {s.labels["turns"] for s in found["onegrid_turns_in_use"]}
    assert turns >= {"database", "devices", "converters", "passwords"}
    assert {s.labels["stream"] for s in found["onegrid_stream_listeners"]} == {"feed", "draft"}
    work = {s.labels["work"] for s in found["onegrid_thread_ill"]}
    assert work >= {"directory", "reads", "rights", "health", "metrics", "gather"}
    waits = {s.labels["channel"]: s.value for s in found["onegrid_notices_oldest_seconds"]}
    assert 590 < waits["webhook"] < 700
    assert {s.labels["state"] for s in found["onegrid_database_connections"]} >= {"in_use"}
    assert found["process_resident_memory_bytes"][0].value > 1e6
    assert found["process_open_fds"]
    assert {s.labels["part"] for samples in found.values() for s in samples} == {"web"}
    assert found["onegrid_gathered_age_seconds"][0].value < 20


def test_what_has_not_happened_yet_is_nought_and_not_absent(web: TestClient) -> None:
    found = families(web)
    refused = {s.labels["why"] for s in found["onegrid_refused"] if s.name.endswith("_total")}
    assert refused == set(_REFUSED.values())
    jobs = {(s.labels["kind"], s.labels["state"]): s.value for s in found["onegrid_jobs"]}
    assert jobs == {(TASK, state): 0 for state in ("todo", "doing", "failed")}
    assert {s.labels["kind"]: s.value for s in found["onegrid_jobs_oldest_seconds"]} == {TASK: 0}
    (allowed,) = (
        str(one.sqltext)
        for one in NoticeChannel.__table__.constraints
        if isinstance(one, CheckConstraint) and "channel" in str(one.sqltext)
    )
    channels = set(re.findall(r"'(\w+)'", allowed))
    for name in ("waiting", "failed", "oldest_seconds"):
        told = {s.labels["channel"]: s.value for s in found[f"onegrid_notices_{name}"]}
        assert set(told) == channels
        assert (told["sms"], told["email"]) == (0, 0)


def test_the_log_names_a_process_as_the_metrics_do(
    metrics_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "onegrid")
    for metrics in ("off", "local"):
        settings = Settings(home=tmp_path, metrics=metrics, public_url="http://localhost")
        other = Place(settings.metrics_dir, "web")
        other.take()
        with TestClient(create_app(settings, metrics_database)):
            pass
        other.leave()
    said = {record.msg: record for record in caplog.records}
    for sentence in ("the web server is up", "the web server has stopped"):
        assert (said[sentence].process_number, said[sentence].pid) == (2, os.getpid())
    assert [path.name for path in settings.metrics_dir.glob("*.json")] == []


def test_other_parts_are_told_of_in_the_same_scrape(web: TestClient) -> None:
    registry = CollectorRegistry()
    Counter("onegrid_thread_failures", "x", ["work"], registry=registry).labels("notices").inc(3)
    place = Place(web.app.state.settings.metrics_dir, "clock")
    place.take()
    place.tell(registry)
    found = {
        (s.labels["part"], s.labels["work"]): s.value
        for s in families(web)["onegrid_thread_failures"]
    }
    assert found["clock", "notices"] == 3
    assert ("web", "rights") in found
    place.leave()


def test_reading_takes_no_turn_and_no_connection(web: TestClient) -> None:
    admission = web.app.state.admission
    taken = [admission.turn() for _ in range(admission.most)]

    async def ask() -> None:
        for one in taken:
            await one.__aenter__()

    async def leave() -> None:
        for one in taken:
            await one.__aexit__(None, None, None)

    pool = web.app.state.database.engine.pool
    web.portal.call(ask)
    connections = [web.app.state.database.engine.connect() for _ in range(pool.size())]
    begun = time.monotonic()
    found = families(web)
    assert time.monotonic() - begun < 2
    in_use = {s.labels["turns"]: s.value for s in found["onegrid_turns_in_use"]}
    assert in_use["database"] == admission.most
    states = {s.labels["state"]: s.value for s in found["onegrid_database_connections"]}
    assert states["in_use"] >= pool.size()
    for one in connections:
        one.close()
    web.portal.call(leave)
    assert admission.in_use == 0


def named_in(expression: str) -> set[str]:
    """Metrics that an expression of PromQL names."""
    plain = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expression)
    plain = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", plain)
    words = set(re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*", plain))
    calls = set(re.findall(r"([a-zA-Z_]\w*)\s*\(", plain))
    return words - calls - {"and", "or", "unless", "bool", "offset", "by"} - OF_PROMETHEUS


def rules() -> list[dict]:
    told = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def panels() -> list[dict]:
    return json.loads((DEPLOY / "grafana" / "onegrid.json").read_text("utf-8"))["panels"]


def test_what_alerts_and_the_board_ask_for_is_measured(web: TestClient) -> None:
    known = {
        f"{family.name}{ending}"
        for family in text_string_to_metric_families(web.get("/metrics").text)
        for ending in ENDINGS.get(family.type, [""])
    }
    asked = {one for rule in rules() for one in named_in(rule["expr"])}
    asked |= {
        one
        for panel in panels()
        for target in panel.get("targets", [])
        for one in named_in(target["expr"])
    }
    assert len(asked) > 15
    assert asked - known == set()


def test_each_alert_says_what_it_is_in_both_languages() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 12
    for rule in rules():
        said = rule["annotations"]
        for chinese in (said["summary_zh"], said["description_zh"]):
            assert re.search(r"[\u4e00-\u9fff].*[。？]$", chinese), rule["alert"]
            assert not re.search(r"[\u4e00-\u9fff] ?[,;:.?!]|[,;:.?!] ?[\u4e00-\u9fff]", chinese)
        assert said["summary"].isascii()
        assert said["description"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_scrape_example_is_read() -> None:
    told = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    (job,) = told["scrape_configs"]
    assert job["job_name"] == "onegrid"
    assert told["rule_files"] == ["alerts.yml"]


def test_prometheus_takes_the_rules_and_the_example() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: it is in Debian's package prometheus")
    folder = DEPLOY / "prometheus"
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [promtool, *words], cwd=folder, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_deployed_names_no_host() -> None:
    said = (DEPLOY / "grafana" / "onegrid.json").read_text("utf-8")
    assert "http" not in said.replace("onegrid_http", "").replace("HTTP", "")
    assert Path(DEPLOY / "README.md").exists()
