"""What a terminal is told: what would move its cursor or forge a line is shown, not sent.

Names, logins, addresses and messages come from strangers. A line of the output is one entry: a line
break within it would be another.
"""

import logging
import re
from typing import Any

from rich.console import Console

__all__ = ["Terminal", "log_visibly", "visible", "visible_json"]

# The space between Chinese words is printed as it is.
_PLAIN = "\u3000"


class Terminal(Console):
    """Prints texts as they are: no markup, no emoji, and every control character escaped."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, stderr=stderr)

    def entry(self, text: str, style: str | None = None) -> None:
        """Print one entry, which may be longer than the terminal is wide."""
        self.print(visible(text), style=style, soft_wrap=True)

    def message(self, text: str, style: str | None = None) -> None:
        """Print a message; what follows its first line stands in from the edge."""
        lines = "\n  ".join(visible(line) for line in text.split("\n"))
        self.print(lines, style=style, soft_wrap=True)


def visible(text: str) -> str:
    r"""The text with everything that is not printed, line breaks too, as its escape.

    Examples
    --------
    >>> visible("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    return "".join(
        c if c.isprintable() or c in _PLAIN else c.encode("unicode_escape").decode() for c in text
    )


def visible_json(text: str) -> str:
    """The same JSON with what JSON itself does not escape: C1, directions."""
    return re.sub(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", _unit, text)


def log_visibly() -> None:
    """Let the program's warnings go to the terminal in the same way."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Visible())


class _Visible(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "\n  ".join(visible(line) for line in super().format(record).split("\n"))


def _unit(found: re.Match[Any]) -> str:
    return f"\\u{ord(found[0]):04x}"
