"""Which component each character of a Chinese address belongs to: a conditional random field.

The model was trained on four fifths of 10,824 tagged addresses (CC BY 4.0, Zhejiang mostly; digits
masked), told apart by a hash of their text; `python -m benchmarks.address` judges it on the rest.
Source: Lafferty, McCallum and Pereira 2001, by python-crfsuite.
"""

import re
import threading
from functools import cache
from pathlib import Path

import pycrfsuite

from gis.address.components import Component

__all__ = ["MODEL", "features", "tag"]

# A tagger keeps the text that it is at between two calls.
_TAGGING = threading.Lock()
MODEL = Path(__file__).parent / "model.crfsuite"
# Characters that end a component's name.
_ENDS = frozenset("省市区县镇乡街路村号幢栋楼单室弄巷道大厦园城社组庄桥公司场里苑层院港州岛旗盟")
# How many characters are looked at ahead, behind, and for the end of the name they are in.
_AHEAD, _BEHIND, _NEAR = 12, 8, 8


def features(text: str) -> list[list[str]]:
    """What is seen around each character, as names of features; digits are alike."""
    masked = re.sub(r"\d", "0", text)
    padded = f"<<<<{masked}>>>>"
    return [_seen(masked, padded, at) for at in range(len(masked))]


def _seen(text: str, padded: str, at: int) -> list[str]:
    here = at + 4
    found = [f"{step}={padded[here + step]}" for step in range(-3, 4)]
    found += [f"{step}b={padded[here + step : here + step + 2]}" for step in range(-2, 2)]
    found += [f"{step}t={padded[here + step : here + step + 3]}" for step in range(-2, 1)]
    found += [f"4={padded[here : here + 4]}", f"-4={padded[here - 3 : here + 1]}"]
    found += [f"5={text[at : at + 5]}", f"-3={text[max(0, at - 3) : at]}"]
    found.append(f"sk={padded[here - 1]}_{padded[here + 1]}")
    found.append(f"4m={text[max(0, at - 2) : at]}|{text[at : at + 2]}")
    found.append("k=" + "".join(map(_sort_of, padded[here - 1 : here + 2])))
    found += [f"pos={min(at, 3)}", f"end={min(len(text) - 1 - at, 3)}"]
    return found + _ends_around(text, at)


def _ends_around(text: str, at: int) -> list[str]:
    """Which names have ended before a character, and how the one that it is in may end."""
    behind = "".join(one for one in text[max(0, at - _BEHIND) : at] if one in _ENDS)
    ahead = [(step, one) for step, one in enumerate(text[at : at + _AHEAD]) if one in _ENDS]
    found = [f"pl={behind[-1:]}", f"pl2={behind[-2:]}"]
    found.append("nx=" + "".join(one for _, one in ahead[:2]))
    if ahead:
        step, one = ahead[0]
        found += [f"n={min(step, _NEAR)}{one}", f"nd={min(step, _NEAR)}"]
    further = next((step for step, _ in ahead if 0 < step <= _NEAR), 0)
    if further:
        found.append("w=" + text[at : at + further + 1])
    begin = at
    while begin > 0 and at - begin < _NEAR - 2 and text[begin - 1] not in _ENDS:
        begin -= 1
    found.append("pw=" + text[begin : at + 1])
    return found


def _sort_of(one: str) -> str:
    if one.isdigit():
        return "d"
    if one.isalpha():
        return "l" if one.isascii() else "c"
    return "p"


@cache
def _tagger() -> pycrfsuite.Tagger:
    made = pycrfsuite.Tagger()
    made.open(str(MODEL))
    return made


def tag(text: str) -> tuple[Component, ...]:
    """Take a normalized Chinese address apart.

    Notes
    -----
    Linear in its length; about a tenth of a millisecond for each ten characters.
    """
    made: list[Component] = []
    begun = 0
    seen = features(text)
    with _TAGGING:
        labels = _tagger().tag(seen) if text else []
    for at, label in enumerate([*labels, "O"]):
        last = labels[at - 1] if at else "O"
        if last != "O" and label != f"I-{last[2:]}":
            made.append(Component(last[2:], text[begun:at]))
        if not label.startswith("I-"):
            begun = at
    return tuple(made)
