import ast
import re
from pathlib import Path

import maps
from api.errors import _EXPLANATIONS
from maps.texts import texts

ROOT = Path(maps.__file__).parents[1]


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


def test_every_message_has_its_chinese() -> None:
    wanted = messages_of_templates() | messages_of_code() | set(_EXPLANATIONS.values())
    chinese = texts("zh")
    missing = sorted(message for message in wanted if chinese(message) == message)
    assert len(wanted) > 60
    assert missing == []


def test_data_words_have_their_chinese() -> None:
    words = "accepted dispatched closed void general difficult major urban rural dedicated"
    modes = "car moped foot"
    chinese = texts("zh")
    assert [w for w in (words + " " + modes).split() if chinese(w) == w] == []


def test_an_unknown_language_reads_chinese() -> None:
    assert texts("fr")("Planner") == "规划"
    assert texts("en")("Planner") == "Planner"
