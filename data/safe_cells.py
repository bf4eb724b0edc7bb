"""Cells of tables that people open: a text that begins as a formula does is never run as one.

What strangers have typed stands in tables that staff open in a spreadsheet; a formula there sends
cells away, or starts a program. A quote before it keeps it a text. A workbook says itself that a
cell is a text (`data.exporting`, `maps.sheets`); a CSV cannot.
"""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["cell_as_meant", "safe_cell", "safe_cells"]

# What a spreadsheet takes for a formula's beginning, also in the wide letters of Chinese input;
# a minus only where what follows makes no number, and is something.
_FORMULA = r"^(?:[=+@\t\r\n＝＋－＠]|-(?s:.))"
_NEGATIVE = r"^-[0-9]*[.,]?[0-9]+(?:[eE][-+]?[0-9]+)?$"
_BEGINS, _NUMBER = re.compile(_FORMULA), re.compile(_NEGATIVE.replace("$", r"\Z"))


def safe_cell(value: Any) -> str:
    """Text of a cell that no spreadsheet runs: one that begins as a formula gets a quote.

    Examples
    --------
    >>> [safe_cell(one) for one in ("=1+1", "-2.5", "-2+3", "-", None, 7)]
    ["'=1+1", '-2.5', "'-2+3", '-', '', '7']
    """
    text = "" if value is None else str(value)
    return f"'{text}" if _BEGINS.match(text) and not _NUMBER.match(text) else text


def cell_as_meant(text: str) -> str:
    """The text of a cell as it was before `safe_cell`."""
    return text[1:] if text[:1] == "'" and safe_cell(text[1:]) == text else text


def safe_cells(cells: pa.Array) -> pa.Array:
    """The same (`safe_cell`) for a column of text at once."""
    begins = pc.match_substring_regex(cells, _FORMULA)
    if not pc.any(begins).as_py():
        return cells
    risky = pc.and_not(begins, pc.match_substring_regex(cells, _NEGATIVE))
    return pc.if_else(risky, pc.binary_join_element_wise("'", cells, ""), cells)
