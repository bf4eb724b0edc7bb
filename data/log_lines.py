"""Lines of the log: one for each event, of the same form from every process of the program.

It needs nothing but the standard library: the small process that keeps the others running writes
its lines by it too.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from data.visible import visible, visible_json

__all__ = ["TRACEBACK", "json_line", "line_of", "stamp", "text_line"]

# What stands first in a line of text, without its name.
_HEAD = ("time", "level", "part", "event")
# Told at the level `debug` alone, on lines of its own.
TRACEBACK = "traceback"
_BARE = re.compile(r"[\w.:/@%+-]+")


def stamp(moment_s: float) -> str:
    """A moment (seconds since 1970) in UTC, to the millisecond.

    Examples
    --------
    >>> stamp(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    text = datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def line_of(facts: Mapping[str, Any], *, as_json: bool) -> str:
    """An event as a line of the log, without its line break.

    Parameters
    ----------
    facts : mapping of str to Any
        ``time``, ``level``, ``part`` and ``event``, and whatever else is told of it.
    """
    return json_line(facts) if as_json else text_line(facts)


def json_line(facts: Mapping[str, Any]) -> str:
    """An event as an object of JSON."""
    return visible_json(json.dumps(dict(facts), ensure_ascii=False, default=str))


def text_line(facts: Mapping[str, Any]) -> str:
    r"""An event as a line for people; nothing in it begins another line.

    Examples
    --------
    >>> text_line({"time": "T", "level": "info", "part": "web", "event": "it is up", "port": 80})
    'T info    web     it is up port=80'
    >>> text_line({"time": "T", "level": "info", "part": "web", "event": "a\nb", "said": "c \n"})
    'T info    web     a\\nb said="c \\n"'
    """
    time, level, part, event = (str(facts.get(name, "")) for name in _HEAD)
    words = [time, f"{level:<7}", f"{part:<7}", visible(event)]
    rest = {name: value for name, value in facts.items() if name not in {*_HEAD, TRACEBACK}}
    line = " ".join([*words, *(f"{visible(name)}={_plain(value)}" for name, value in rest.items())])
    more = str(facts.get(TRACEBACK, "")).splitlines()
    return "\n  ".join([line, *map(visible, more)])


def _plain(value: object) -> str:
    text = visible(f"{value:.6g}" if isinstance(value, float) else str(value))
    if _BARE.fullmatch(text):
        return text
    quoted = text.replace('"', '\\"')
    return f'"{quoted}"'
