"""What is shown only at length, in parts by name; a part that passed is not run again for nothing.

``make prove`` runs each part that has not passed on what the code is now, ``make prove PART=name``
that part in any case. Each ends within 100 minutes. What came of it goes into
``benchmarks/results/prove.json`` after every part, so that an interrupted run goes on where it was;
the table of ``docs/proving.md`` is written from that file.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["PARTS", "Part", "Prover", "Result", "main", "table_of"]

ROOT = Path(__file__).parents[1]
_MOST_S = 100 * 60
_GRACE_S = 30.0
# What a result does not depend on; it is itself committed after the run.
_APART = (":(exclude)benchmarks/results", ":(exclude)docs", ":(exclude)*.md")
_TABLE = re.compile(r"(?<=<!-- parts -->\n).*?(?=<!-- end of parts -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """One proof: what it shows, and the module that runs it and prints its figures as JSON."""

    shows: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a part.

    Attributes
    ----------
    when : str
        When it began, UTC.
    commit : str
        What it ran on; ends with ``+`` where files had been changed since.
    seconds : float
    exit_code : int
        0 where every bar was met; 124 where the time ran out.
    figures : object
        What it printed, None where that is no JSON.
    """

    when: str
    commit: str
    seconds: float
    exit_code: int
    figures: Any


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.{name}", "--json")


PARTS: Mapping[str, Part] = {
    "hostile": Part(
        "at least 200 hostile files of 19 kinds beside ordinary traffic: p99 of ordinary requests, "
        "memory of all processes, nothing lost, nothing left",
        _module("hostile"),
    ),
    "signing-in": Part(
        "200 guesses a second at one name from many addresses for a minute: its owner still gets "
        "in, others are answered",
        _module("signing_in"),
    ),
    "audit": Part(
        "reads audited by 16 sessions at once, and what a killed process loses of them",
        _module("audit"),
    ),
    "worker-killed": Part(
        "a worker killed every 10 s for two minutes: how late timers are, how often an upload is "
        "tried",
        _module("killed"),
    ),
    "starting": Part(
        "four web processes on one core beside four busy loops, ten times: until all answer",
        _module("starting"),
    ),
    "memory": Part(
        "18,225 grids and a million addresses: what the first and the second web process hold, and "
        "all of them while a new address book and a new plan are swapped in",
        _module("memory"),
    ),
    "retention": Part(
        "millions of old notices and reads deleted beside requests: how long these take, whether "
        "the log is whole",
        _module("retention"),
    ),
    "soak": Part(
        "a town's day in 90 minutes: every part killed, clocks set a day off both ways, a plan "
        "every five minutes: level memory, threads, descriptors, connections, files; no wrong 5xx",
        _module("soak"),
    ),
}


class Prover:
    """Runs parts and keeps their results.

    Parameters
    ----------
    parts : Mapping of str to Part
    results, page : Path
        The file of the results, and the page whose table is written from it.
    root : Path
        The checkout in which the parts run.
    most_s : float
        How long a part may take.
    """

    def __init__(
        self,
        parts: Mapping[str, Part],
        results: Path,
        page: Path,
        root: Path = ROOT,
        *,
        most_s: float = _MOST_S,
    ) -> None:
        self._parts, self._results, self._page = parts, results, page
        self._root, self._most_s = root, most_s

    def read(self) -> dict[str, Result]:
        """The results so far, by part."""
        if not self._results.exists():
            return {}
        held = json.loads(self._results.read_text(encoding="utf-8"))
        return {name: Result(**row) for name, row in held.items()}

    def due(self) -> list[str]:
        """Parts that have not passed on what the code is now."""
        held = self.read()
        return [name for name in self._parts if not self._holds(held.get(name))]

    def run(self, names: Sequence[str]) -> list[str]:
        """Run parts one after another; return those that did not pass."""
        failed = []
        for name in names:
            print(f"{name}: {self._parts[name].shows}", file=sys.stderr, flush=True)
            result = self._run(self._parts[name])
            self._keep(name, result)
            said = "passed" if result.exit_code == 0 else f"exit code {result.exit_code}"
            print(f"{name}: {said} after {result.seconds:.0f} s", file=sys.stderr, flush=True)
            if result.exit_code:
                failed.append(name)
        return failed

    def _run(self, part: Part) -> Result:
        when, began = datetime.now(UTC), time.monotonic()
        commit = self._commit()
        with subprocess.Popen(
            part.command, cwd=self._root, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as program:
            try:
                told, _ = program.communicate(timeout=self._most_s)
                code = program.returncode
            except subprocess.TimeoutExpired:
                told, code = _ended(program), 124
            except BaseException:
                _ended(program)
                raise
        seconds = round(time.monotonic() - began, 1)
        return Result(f"{when:%Y-%m-%d %H:%M}", commit, seconds, code, figures_of(told))

    def _keep(self, name: str, result: Result) -> None:
        held = self.read() | {name: result}
        rows = {one: asdict(held[one]) for one in self._parts if one in held}
        self._results.parent.mkdir(parents=True, exist_ok=True)
        whole = self._results.with_suffix(".part")
        whole.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        whole.replace(self._results)
        page = self._page.read_text(encoding="utf-8")
        table = table_of(self._parts, held)
        self._page.write_text(_TABLE.sub(lambda _: table, page), encoding="utf-8")

    def _holds(self, result: Result | None) -> bool:
        """Whether a part passed, and nothing that it depends on has changed since."""
        if result is None or result.exit_code or not result.commit.isalnum():
            return False
        return self._git("diff", "--quiet", result.commit, "--", ".", *_APART).returncode == 0

    def _commit(self) -> str:
        commit = self._git("rev-parse", "--short=12", "HEAD").stdout.strip()
        changed = self._git("diff", "--quiet", "HEAD", "--", ".", *_APART).returncode != 0
        return f"{commit}+" if changed else commit

    def _git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words],  # noqa: S607 - git of the developer's own PATH
            cwd=self._root,
            check=False,
            capture_output=True,
            text=True,
        )


def _ended(program: "subprocess.Popen[str]") -> str:
    """End a part with all that it started; return what it had printed."""
    for how in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(program.pid, how)
        except ProcessLookupError:
            break
        try:
            return program.communicate(timeout=_GRACE_S)[0]
        except subprocess.TimeoutExpired:
            continue
    return ""


def figures_of(told: str) -> Any:
    """The JSON that a part's output ends with; lines of progress may stand before it."""
    lines = told.strip().splitlines()
    for begin, line in enumerate(lines):
        if line[:1] in {"{", "["}:
            try:
                return json.loads("\n".join(lines[begin:]))
            except ValueError:
                continue
    return None


def table_of(parts: Mapping[str, Part], results: Mapping[str, Result]) -> str:
    """The parts as a Markdown table: what each shows, when it ran last and what came of it."""
    lines = [
        "",
        "| part | what it shows | ran last | on commit | took | result |",
        "|---|---|---|---|---|---|",
    ]
    for name, part in parts.items():
        row = results.get(name)
        said = "not yet | – | – | –"
        if row is not None:
            passed = "passed" if row.exit_code == 0 else f"exit code {row.exit_code}"
            said = f"{row.when} UTC | {row.commit} | {row.seconds:.0f} s | {passed}"
        lines.append(f"| `{name}` | {part.shows} | {said} |")
    return "\n".join(lines) + "\n\n"


def main() -> int:
    """Run what is named, or what is due; 1 where a part did not pass, 2 where there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; by default what is due")
    asked = parser.parse_args().part
    if unknown := [name for name in asked if name not in PARTS]:
        print(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    prover = Prover(PARTS, ROOT / "benchmarks/results/prove.json", ROOT / "docs/proving.md")
    names = asked or prover.due()
    if not names:
        print("every part has passed on what the code is now", file=sys.stderr)
    failed = prover.run(names)
    if failed:
        print(f"not passed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
