"""The documentation's commands run, and the repository keeps its rules."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from benchmarks.prove import PARTS, Prover, table_of
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


@pytest.mark.parametrize("page", ["operations.md", "operations.zh.md"])
def test_each_event_and_setting_of_the_log_that_the_docs_name_is_there(page: str) -> None:
    said = (ROOT / "docs" / page).read_text("utf-8")
    sources = [
        path.read_text("utf-8")
        for folder in ("api", "data", "grids", "routing")
        for path in (ROOT / folder).rglob("*.py")
    ]
    code = re.sub(r'"\s+"', "", "\n".join(sources))
    events = re.findall(r"`((?:the|a|an|somebody|requests) [a-z ]+)`", said)
    assert len(events) > 8
    assert [event for event in events if event not in code] == []
    named = {name.removeprefix("ONEGRID_").lower() for name in re.findall(r"ONEGRID_\w+", said)}
    assert named <= set(Settings.model_fields)


def test_each_metric_that_the_docs_name_is_measured() -> None:
    said = (ROOT / "docs" / "operations.md").read_text("utf-8")
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "api").glob("me*.py"))
    named = {name.removesuffix("_total") for name in re.findall(r"`(onegrid_\w+)`", said)}
    assert len(named) > 20
    assert {name for name in named if f'"{name}"' not in code} == set()
