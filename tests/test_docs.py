"""The documentation's commands run, and the repository keeps its rules."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from benchmarks.prove import PARTS, Prover, table_of
from data.retention.rules import KEPT, RULES
from data.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def commands_of(prefix: str) -> list[tuple[str, str]]:
    found = []
    for path in DOCS:
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(path.name, line) for line in lines if line.startswith(prefix)]
    return found


@pytest.mark.parametrize(("page", "line"), commands_of("onegrid "))
def test_commands_in_the_docs_exist_with_their_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    path = []
    command = __import__("typer").main.get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        path.append(words[0])
        command = command.commands[words.pop(0)]
    assert path, f"{page}: {line}"
    assert not hasattr(command, "commands"), f"{page}: {line} names no command"
    known = {name for option in command.params for name in option.opts + option.secondary_opts}
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert used <= known, f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), commands_of("make "))
def test_make_targets_in_the_docs_exist(page: str, line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (page, line)


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [
        (path, link)
        for path in DOCS
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8"))
    ]
    assert [(p.name, link) for p, link in links if not (p.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_table_of_settings_names_each_and_no_other(page: str) -> None:
    lines = (ROOT / page).read_text("utf-8").splitlines()
    named = {
        name
        for line in lines
        if line.startswith("| `ONEGRID_")
        for name in re.findall(r"`(ONEGRID_\w+)`", line.split(" | ")[0])
    }
    assert named == {f"ONEGRID_{field.upper()}" for field in Settings.model_fields}


def security_rows() -> list[list[str]]:
    """Cells of the table of standards' items in docs/security.md."""
    lines = (ROOT / "docs" / "security.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in rows if re.match(r"\s*(ASVS|GB/T) \d", row[0])]


def test_the_table_of_standards_is_whole() -> None:
    rows = security_rows()
    assert len(rows) >= 60
    assert all(len(row) == 5 for row in rows)
    assert {row[2] for row in rows} == {"yes", "partly", "no"}
    assert len({row[0] for row in rows}) == len(rows)
    unmet = [row[0] for row in rows if row[2] != "yes" and len(row[4]) < 20]
    assert unmet == [], "what is not met says why"


def test_each_test_that_security_names_is_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/\S+?\.py)::(\w+)`(?! \(see accounts\))", page))
    assert len(named) > 40
    missing = {
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists()
        or not re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    }
    assert missing == set()


def test_the_table_of_long_proofs_is_that_of_the_results() -> None:
    prover = Prover(PARTS, ROOT / "benchmarks/results/prove.json", ROOT / "docs/proving.md")
    assert table_of(PARTS, prover.read()) in (ROOT / "docs/proving.md").read_text("utf-8")


@pytest.mark.parametrize("words", [["--help"], ["db", "--help"], ["import", "osm", "--help"]])
def test_help_teaches(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert len(result.output) > 300


def test_the_repository_keeps_its_rules() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/hygiene.py"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


OPERATIONS = ["operations.md", "operations.zh.md"]
TELLING = {"info", "warning", "error", "critical", "exception"}
# What stands in the place of a part's name, and how a process ended, in a sentence of the log.
ENDS = ["has ended (", "it is started again "]


def sentence_of(node: ast.expr) -> str:
    """What is always the same in a sentence of the log: of one with names in it the longest."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(one.value) for one in node.values if isinstance(one, ast.Constant)]
        return max((part.strip() for part in parts), key=len, default="")
    said = node.value if isinstance(node, ast.Constant) else ""
    # What to do about it may follow, or what comes of it.
    return said.partition(": ")[0] if isinstance(said, str) else ""


def told_by(call: ast.Call) -> list[ast.expr]:
    """Where the sentences stand that a call writes to the log, now or later."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    logger = ast.unparse(call.func).rpartition(".")[0]
    if name == "Outage":
        return call.args[:3]
    is_put_off = name == "callback" and ast.unparse(call.args[0]).startswith("log.")
    if name == "log_after_commit" or is_put_off:
        return call.args[1:2]
    is_log = name in TELLING and logger in {"LOG", "log", "self._log"}
    return call.args[:1] if is_log or ast.unparse(call.func) == "self._say" else []


def events_of_the_code() -> set[str]:
    found = set()
    for folder in ("api", "data", "gis", "grids", "maps", "routing"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if type(n) is ast.Call]
            found |= {sentence_of(node) for call in calls for node in told_by(call)}
    return {one for one in found if len(one) > 5}


def events_of_the_docs(said: str) -> list[str]:
    """The sentences in the first column of the tables of events, of which levels are told."""
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| `")]
    of_events = [
        row[0] for row in rows if len(row) == 3 and re.match(r"(info|warn|err|crit)", row[1])
    ]
    return [event for cell in of_events for event in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("page", OPERATIONS)
def test_the_docs_name_each_event_of_the_log_and_no_other(page: str) -> None:
    code, docs = events_of_the_code(), events_of_the_docs((ROOT / "docs" / page).read_text("utf-8"))
    assert len(code) > 40
    assert {one for one in code if not any(one in event for event in docs)} == set()
    known = [*code, *ENDS]
    assert [event for event in docs if not any(one in event for one in known)] == []


def test_both_languages_name_the_same_events_settings_and_metrics() -> None:
    english, chinese = ((ROOT / "docs" / page).read_text("utf-8") for page in OPERATIONS)
    assert events_of_the_docs(english) == events_of_the_docs(chinese)
    for form in (r"ONEGRID_\w+", r"`(_?[a-z]+_[a-z_]+)", r"/[a-z]+z\b", r"(?m)^\| `([a-z_]+)"):
        named = [set(re.findall(form, page)) for page in (english, chinese)]
        assert named[0] == named[1], form
        assert len(named[0]) > 2
    for mark in ("\n## ", "\n```", "\n| ", "](decisions/"):
        assert english.count(mark) == chinese.count(mark), mark


@pytest.mark.parametrize("page", OPERATIONS)
def test_each_setting_of_operations_is_there(page: str) -> None:
    said = (ROOT / "docs" / page).read_text("utf-8")
    named = {name.removeprefix("ONEGRID_").lower() for name in re.findall(r"ONEGRID_\w+", said)}
    assert named <= set(Settings.model_fields)


@pytest.mark.parametrize("page", OPERATIONS)
def test_each_thing_that_readyz_names_is_explained(page: str) -> None:
    said = (ROOT / "docs" / page).read_text("utf-8")
    code = "\n".join(
        (ROOT / "api" / f"{name}.py").read_text() for name in ("health", "engines", "app")
    )
    shared = re.search(r"_SHARED = \(([^)]*)\)", code)
    assert shared
    things = {*re.findall(r'Part\(\s*"(\w+)"', code), *re.findall(r'"(\w+)"', shared[1])}
    assert len(things) >= 10
    assert {one for one in things if not re.search(rf"^\| `{one}`", said, re.MULTILINE)} == set()
    table = said.partition("| `said` |")[2].partition("\n\n")[0].splitlines()[2:]
    words = [one for row in table for one in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert len(words) > 12
    always = {one: re.split(r"\d|…|timers", one)[0].strip(": ") for one in words}
    assert [one for one, part in always.items() if part not in code] == []


@pytest.mark.parametrize("page", OPERATIONS)
def test_each_metric_that_the_docs_name_is_measured(page: str) -> None:
    said = (ROOT / "docs" / page).read_text("utf-8")
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "api").glob("me*.py"))
    named = {name.removesuffix("_total") for name in re.findall(r"`(onegrid_\w+)`", said)}
    assert len(named) > 20
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_the_chinese_page_of_retention_is_as_whole_as_the_english_one() -> None:
    chinese = (ROOT / "docs" / "retention.zh.md").read_text("utf-8")
    english = (ROOT / "docs" / "retention.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in chinese.splitlines()]
    of_rules = [row for row in rows if len(row) == 5 and row[0].startswith("`")]
    assert of_rules == [
        [f"`{one.name}`", one.what_zh, str(one.days), str(one.least_days), one.why_zh]
        for one in RULES
    ]
    tables = [row[1] for row in rows if len(row) == 2]
    assert set(tables) >= {"、".join(f"`{one}`" for one in kept) for kept in KEPT.values()}
    for mark in ("\n## ", "\n```", "\n| ", "\nonegrid "):
        assert english.count(mark) == chinese.count(mark), mark
    for form in (r"ONEGRID_\w+", r"`([a-z_]+(?:[./][a-z]+)*)`"):
        assert set(re.findall(form, english)) <= set(re.findall(form, chinese)), form


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").glob("*.zh.md")), ROOT / "README.zh.md"])
def test_chinese_pages_have_chinese_punctuation(page: Path) -> None:
    plain = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page.read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"[\u4e00-\u9fff][,;:!?][^\n]{0,12}|[,;:!?] ?[\u4e00-\u9fff]", plain) == []
