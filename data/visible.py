"""Texts of strangers as they may stand in a line: what steers a terminal or forges one is shown."""

import re

__all__ = ["visible", "visible_json"]

# The space between Chinese words is printed as it is.
_PLAIN = "\u3000"


def visible(text: str) -> str:
    r"""The text with everything that is not printed, line breaks too, as its escape.

    Examples
    --------
    >>> visible("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in _PLAIN else c.encode("unicode_escape").decode() for c in text
    )


def visible_json(text: str) -> str:
    """The same JSON with what JSON itself does not escape: C1, directions."""
    return re.sub(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", _unit, text)


def _unit(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"
