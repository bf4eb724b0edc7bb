"""The log: one form for all, no forged lines, nothing of what was being worked on."""

import ast
import json
import logging
import multiprocessing
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import exc

from data.errors import StateError
from data.log import LOG, request_of, within_request
from data.log_file import SharedFileHandler
from data.log_lines import json_line, text_line
from data.log_setup import begin_log
from data.plain_log import PlainLog
from data.reasons import reason_of
from data.settings import Settings
from tests.conftest import ROOT

SECRET = "张三 13912345678"
HEAD = {"time": "T", "level": "info", "part": "web"}


def told(code: str, **settings: str) -> list[str]:
    """Lines that a program writes to its standard error."""
    environment = {f"ONEGRID_{name.upper()}": value for name, value in settings.items()}
    begin = "from data.log_setup import begin_log; begin_log('web')\nfrom data.log import LOG\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": str(ROOT)} | environment,
    )
    return done.stderr.splitlines()


def test_a_line_has_time_level_part_sentence_and_facts() -> None:
    (line,) = told("LOG.info('it is up', port=80, said='two words')")
    time, rest = line.split(" ", 1)
    assert len(time) == len("2026-11-28T10:00:00.000Z")
    assert time.endswith("Z")
    assert rest == 'info    web     it is up port=80 said="two words"'


def test_json_holds_the_same() -> None:
    (line,) = told("LOG.info('it is up', port=80)", log_format="json")
    facts = json.loads(line)
    assert facts.pop("time")
    assert facts == {"level": "info", "part": "web", "event": "it is up", "port": 80}


@pytest.mark.parametrize("as_line", [text_line, json_line])
def test_no_text_begins_a_line_or_steers_a_terminal(as_line) -> None:
    evil = "a\x1b[2J\n9999 forged\r\u202e\x85"
    line = as_line(HEAD | {"event": evil, evil: evil})
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_an_error_tells_its_kind_and_place_not_its_words() -> None:
    code = f"def f(): raise ValueError({SECRET!r})\ntry: f()\n"
    code += "except ValueError as e: LOG.error('it fails', exc_info=e)"
    (line,) = told(code)
    assert line.endswith('it fails reason="ValueError at <string>:3"')
    assert SECRET[:2] not in line
    assert len(told(code, log_level="debug")) > 3


def test_what_nobody_catches_is_a_line_of_the_log() -> None:
    (line,) = told(f"raise ValueError({SECRET!r})")
    assert "critical web     the process ends by an error" in line
    assert SECRET[:2] not in line
    (line,) = told(
        "import threading\ndef f(): raise ValueError('secret')\n"
        "t = threading.Thread(target=f); t.start(); t.join()"
    )
    assert "a thread ends by an error" in line
    assert "secret" not in line


def test_libraries_speak_in_the_same_form_and_do_not_repeat_themselves() -> None:
    lines = told(
        "import logging\nlog = logging.getLogger('procrastinate.worker')\n"
        "log.info('chatter')\n"
        "for number in range(100): log.warning('it failed: %s', number, extra={'job': 'secret'})"
    )
    assert len(lines) == 1
    assert lines[0].endswith("it failed: 0 logger=procrastinate.worker")


def test_reasons_quote_only_what_is_away() -> None:
    class LostError(Exception):
        pass

    wrapped = exc.OperationalError("SELECT :name", {"name": SECRET}, LostError("refused\nand more"))
    assert reason_of(wrapped) == "OperationalError: refused"
    assert reason_of(psycopg.OperationalError("connection refused")).endswith("connection refused")
    data = exc.DataError("SELECT :name", {"name": SECRET}, LostError(f"invalid input: {SECRET}"))
    assert reason_of(data) == "DataError"
    assert SECRET not in reason_of(FileNotFoundError(2, "No such file", SECRET))


def test_a_request_is_named_within_its_work() -> None:
    assert request_of() == ""
    with within_request("abc"):
        assert request_of() == "abc"
    assert request_of() == ""
    (line,) = told(
        "from data.log import within_request\nwith within_request('abc'): LOG.info('it is done')"
    )
    assert line.endswith("it is done request=abc")


def test_the_house_writes_the_same_lines(tmp_path: Path, capfd) -> None:
    log = PlainLog("house", "json", str(tmp_path / "log"))
    log.warning("the clock has ended", code=1)
    facts = json.loads(capfd.readouterr().err)
    assert facts == json.loads((tmp_path / "log").read_text()), "and to the file"
    assert facts.pop("time")
    assert facts == {"level": "warning", "part": "house", "event": "the clock has ended", "code": 1}


def test_the_house_loads_nothing_but_the_standard_library() -> None:
    code = "import sys, api.house; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"structlog", "sqlalchemy", "pydantic", "rich", "logging"}


def test_a_log_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(log_file=str(tmp_path / "absent" / "log"))
    with pytest.raises(StateError, match="ONEGRID_LOG_FILE"):
        begin_log("command", settings)


def write(path: Path, name: str) -> None:
    handler = SharedFileHandler(path, most_bytes=20_000, former=50)
    for number in range(500):
        handler.emit(logging.makeLogRecord({"msg": f"{name} {number} {'x' * 40}"}))


def test_processes_turn_one_file_over_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    forking = multiprocessing.get_context("fork")
    writers = [forking.Process(target=write, args=(path, name)) for name in "abc"]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
        assert one.exitcode == 0
    lines = [line for file in tmp_path.glob("log*") for line in file.read_text().splitlines()]
    assert sorted(set(lines)) == sorted(lines)
    assert len(lines) == 1500
    assert all(file.stat().st_size < 20_200 for file in tmp_path.glob("log*"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_keeps_so_many_former_ones(tmp_path: Path) -> None:
    handler = SharedFileHandler(tmp_path / "log", most_bytes=100, former=2)
    for _ in range(50):
        handler.emit(logging.makeLogRecord({"msg": "x" * 60}))
    handler.close()
    assert sorted(file.name for file in tmp_path.glob("log*")) == ["log", "log.1", "log.2"]


def test_a_renamed_file_is_left_to_who_renamed_it(tmp_path: Path) -> None:
    handler = SharedFileHandler(tmp_path / "log")
    handler.emit(logging.makeLogRecord({"msg": "before"}))
    (tmp_path / "log").rename(tmp_path / "log.away")
    handler.emit(logging.makeLogRecord({"msg": "after"}))
    handler.close()
    assert (tmp_path / "log").read_text() == "after\n"


def test_an_event_is_a_record_whose_message_is_the_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    LOG.warning("it is told", number=3)
    assert caplog.records[-1].message == "it is told"
    assert caplog.records[-1].number == 3


def test_no_fact_has_the_name_of_something_that_each_record_has() -> None:
    own = {*vars(logging.makeLogRecord({})), "message", "asctime"} - {"exc_info", "stack_info"}
    names = set()
    for folder in ("api", "data", "grids", "maps", "routing"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and "LOG" in ast.unparse(node.func).upper():
                    names |= {(path.name, one.arg) for one in node.keywords}
    assert len(names) > 20
    assert {(file, name) for file, name in names if name in own} == set()
