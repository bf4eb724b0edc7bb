import ast
import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import maps
from api.errors import _EXPLANATIONS
from grids.drafting.review import STEPS
from grids.redraw.adoption import ISSUES
from grids.redraw.apply import ZONE_KINDS
from grids.redraw.consequences import WARNINGS
from grids.redraw.operations import OPERATIONS
from grids.responsibility import Inquiry, Staff, answer
from grids.responsibility.records import Hours, Rule, UnitFacts
from grids.staff_coverage import PROBLEMS
from maps.ledger_files import COUNTS
from maps.texts import texts
from routing.clusters import KINDS
from routing.eligibility import CODES, SHORTFALLS
from routing.incidents.intake import CHANNELS
from routing.lifecycle.deadlines import LADDER, UNITS
from routing.lifecycle.flow import GUARDS, LEVELS, NEEDS, STATES
from routing.lifecycle.indicators import RATES

ROOT = Path(maps.__file__).parents[1]
FLOWS = json.loads((ROOT / "data" / "presets" / "flows.json").read_text(encoding="utf-8"))
ACTIONS = sorted({step["action"] for flow in FLOWS for step in flow["transitions"]})


def messages_of_templates() -> set[str]:
    found = set()
    for path in (ROOT / "maps" / "templates").rglob("*.html"):
        found |= set(re.findall(r"_\('((?:[^'\\]|\\.)+)'\)", path.read_text(encoding="utf-8")))
    return found


def messages_of_code() -> set[str]:
    """Literal arguments of every call of ``texts(…)`` or ``words(…)``."""
    found = set()
    for path in [*(ROOT / "maps").rglob("*.py"), *(ROOT / "api").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"texts", "words"}:
                found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {str(message) for message in found} - {"zh", "en", "None"}


def messages_of_scripts() -> set[str]:
    """Literal arguments of every call of ``t(…)`` in the pages' own scripts."""
    found = set()
    for path in (ROOT / "maps" / "static").rglob("*.js"):
        if "vendor" not in path.parts:
            found |= set(re.findall(r"\bt\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8")))
    return found


# What scripts put together: a word, and what may follow it.
SAID = {
    "warning": WARNINGS,
    "draft": ("draft", "review", "approved", "published", "discarded"),
    "step": (*STEPS, "publish"),
    "rule": (
        "contiguous",
        "one community",
        "empty",
        "coverage",
        "unknown",
        "nothing",
        "code",
        "area",
    ),
    "refused": (
        *("403", "404", "409", "422"),
        *("state", "actor", *GUARDS),
        *("class_code", "severity", "description", "reported_at", "photo", "place"),
    ),
    "edit": (*(fields(one)[-1].default for one in OPERATIONS), "partition"),
    "zone": ZONE_KINDS,
    "issue": ISSUES,
    "action": (
        *ACTIONS,
        "accept",
        "hand_over",
        "photo",
        "notice_failed",
        *(rung.action for rung in LADDER),
    ),
    "deadline": ("dispatch", "take", "handle", "verify", "total", "answer"),
    "code": CODES,
    "shortfall": SHORTFALLS,
    "cluster": KINDS,
    "count": COUNTS,
    "rate": RATES,
    "definition": RATES,
    "period": ("week", "month"),
    "by": ("grid", "class", "department"),
    "light": ("green", "yellow", "red"),
    "level": LEVELS,
    "channel": CHANNELS,
    "need": NEEDS,
    "satisfaction": ("satisfied", "content", "dissatisfied", "not_reached"),
    "group": ("dispute", "event", "part", "security", "bag"),
    "bag": ("suggestion", "complaint", "wish", "publicity", "service"),
    "ask": ("name", "community", "door", "building", "unit", "room", "area", "confirm"),
}
STATE_WORDS = (*STATES, "general", "difficult", "major", *UNITS, "min", "car", "moped", "foot")
# What was done about an issue (grids.redraw.adoption, grids.drafting.adopting).
DONE = (
    "left out",
    "mended",
    "counted once",
    "each block goes to the polygon that has more of it",
    "joined to the neighbour",
    "a grid of its own",
    "its edge follows the blocks",
    "the part is a grid of its own",
    "no block lies mostly in it",
    "a grid in each of its communities",
)


def test_what_scripts_put_together_has_its_chinese() -> None:
    chinese = texts("zh")
    wanted = [f"{word} {one}" for word, several in SAID.items() for one in several]
    wanted += [*DONE, *STATE_WORDS]
    assert [text for text in wanted if chinese(text) == text] == []


def test_every_message_has_its_chinese() -> None:
    wanted = messages_of_templates() | messages_of_code() | messages_of_scripts()
    wanted |= set(_EXPLANATIONS.values())
    chinese = texts("zh")
    missing = sorted(message for message in wanted if chinese(message) == message)
    assert len(wanted) > 60
    assert missing == []


def test_data_words_have_their_chinese() -> None:
    words = "accepted dispatched closed void general difficult major urban rural dedicated"
    modes = "car moped foot part event dispute security"
    chinese = texts("zh")
    assert [w for w in (words + " " + modes).split() if chinese(w) == w] == []
    problems = [f"problem {problem}" for problem in PROBLEMS]
    assert [text for text in problems if chinese(text) == text] == []


def test_why_somebody_is_asked_is_said_in_chinese() -> None:
    places = ("urban", "990100001001")
    conditions = [
        {"grid_kind": "rural"},
        {"division": "11"},
        {"scope": "part"},
        {"owner": "known"},
        {"owner": "x"},
        {"hours": Hours(frozenset({9}))},
        {"to_role": "class"},
        {"to_role": "nobody"},
    ]
    rules = [Rule(str(n), "", **({"to_unit": "?"} | one)) for n, one in enumerate(conditions)]
    staff = Staff(rules=[replace(rule, to_unit=None) if rule.to_role else rule for rule in rules])
    staff.add_units([UnitFacts(1, "中心", "centre", "1", places[1])])
    chinese, said = texts("zh"), set()
    for owner in (None, "y"):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        asked = Inquiry((("community", places[1]),), places[0], now, None, owner)
        said |= {step.outcome for step in answer(staff, asked).trace}
    assert len(said) == 9
    assert [text for text in said if chinese(text) == text] == []


def test_an_unknown_language_reads_chinese() -> None:
    assert texts("fr")("Planner") == "规划"
    assert texts("en")("Planner") == "Planner"
