"""Contact cards for print: one card, or the door signs of a whole grid, with QR codes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import jinja2
import segno
from markupsafe import Markup

from grids.card import Card
from maps.texts import Texts

__all__ = ["SIZES", "PrintedCard", "cards_page"]

# Name → paper, and whether the map is on it.
SIZES = {"a6": ("A6", False), "a4": ("A4", True)}


@dataclass(frozen=True, slots=True)
class PrintedCard:
    """A card on paper.

    Attributes
    ----------
    card : Card
    link : str
        Where its QR code leads.
    address : str
        The door that it hangs on; empty for none.
    picture : Markup or None
        The grid as SVG.
    """

    card: Card
    link: str
    address: str = ""
    picture: Markup | None = None


def cards_page(
    cards: Sequence[PrintedCard],
    size: str,
    words: Texts,
    role_name: Callable[[str], str],
    *,
    as_of: date,
    note: str = "",
) -> str:
    """The page of cards for print (`maps.paper.printed`), one on each sheet.

    Parameters
    ----------
    size : str
        One of `SIZES`.
    as_of : date
        The day on which they are true; it stands on each.
    note : str
        A line at the foot, such as the map's review number.
    """
    paper, has_map = SIZES[size]
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("card_print.html")
    return template.render(
        pages=[(one, _code(one.link)) for one in cards],
        paper=paper,
        has_map=has_map,
        _=words,
        lang="zh-CN" if words.language == "zh" else "en",
        language=words.language,
        role=role_name,
        as_of=as_of.isoformat(),
        note=note,
    )


def _code(link: str) -> Markup:
    drawn = io.BytesIO()
    code = segno.make(link, error="m", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=2)
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn here, of squares
