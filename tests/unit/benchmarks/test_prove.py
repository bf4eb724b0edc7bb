"""The runner of long proofs, with parts that are short, in a repository of its own."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.prove import PARTS, Part, Prover, figures_of, main

PASS = "import json; print('going on'); print(json.dumps({'p99_ms': 3}, indent=1))"
FAIL = "import json, sys; print(json.dumps([1])); sys.exit(1)"


def git(root: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@invalid", *words]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "proving.md").write_text("a\n<!-- parts -->\n<!-- end of parts -->\nb\n")
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def prover(root: Path, most_s: float = 60.0, **codes: str) -> Prover:
    parts = {
        name: Part(f"that {name} holds", (sys.executable, "-c", code))
        for name, code in codes.items()
    }
    results = root / "benchmarks" / "results" / "prove.json"
    return Prover(parts, results, root / "docs" / "proving.md", root, most_s=most_s)


def test_a_part_that_passed_is_not_due_again(root: Path) -> None:
    made = prover(root, good=PASS, bad=FAIL)
    assert made.due() == ["good", "bad"]
    assert made.run(made.due()) == ["bad"]
    assert made.due() == ["bad"]
    held = json.loads((root / "benchmarks/results/prove.json").read_text())
    assert held["good"]["exit_code"] == 0
    assert held["good"]["figures"] == {"p99_ms": 3}
    assert held["bad"]["exit_code"] == 1
    page = (root / "docs" / "proving.md").read_text()
    assert "| `good` | that good holds | 20" in page
    assert "| exit code 1 |" in page
    assert page.endswith("b\n")


def test_results_and_documentation_may_change_and_code_may_not(root: Path) -> None:
    made = prover(root, good=PASS)
    made.run(["good"])
    git(root, "add", ".")
    git(root, "commit", "-qm", "results")
    assert made.due() == []
    (root / "code.py").write_text("2\n")
    assert made.due() == ["good"]
    made.run(["good"])
    assert made.read()["good"].commit.endswith("+")
    assert made.due() == ["good"]


def test_an_interrupted_run_goes_on_with_what_is_left(root: Path) -> None:
    parts = {"first": PASS, "second": f"raise SystemExit(3 * ({sys.maxsize} < 0))", "third": PASS}
    made = prover(root, **parts)
    made.run(["first"])
    again = prover(root, **parts)
    assert again.due() == ["second", "third"]
    assert again.run(again.due()) == []
    assert again.read()["second"].figures is None


def ends(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends soon; an orphan may wait, ended, for whoever takes such in."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_part_that_takes_too_long_is_ended_with_its_children(root: Path) -> None:
    mark = root / "mark"
    child = (
        f"import os, time, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); "
        "time.sleep(600)"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    made = prover(root, most_s=5.0, slow=code)
    assert made.run(["slow"]) == ["slow"]
    assert made.read()["slow"].exit_code == 124
    assert ends(int(mark.read_text()))


@pytest.mark.parametrize(
    ("told", "figures"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"begun": 1}\n{\n "a": [\n  {"b": 2}\n ]\n}\n', {"a": [{"b": 2}]}),
        ("words\n[1, 2]", [1, 2]),
        ("", None),
        ("{ no", None),
    ],
)
def test_figures_are_what_the_output_ends_with(told: str, figures: object) -> None:
    assert figures_of(told) == figures


def test_an_unknown_part_is_named_with_those_there_are(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["prove", "none"])
    assert main() == 2
    said = capsys.readouterr().err
    assert all(name in said for name in PARTS)
