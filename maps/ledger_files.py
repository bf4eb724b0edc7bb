"""A ledger as a workbook: one sheet for each way of counting, and the definitions."""

from openpyxl import Workbook

from maps.sheets import add_sheet, empty_workbook, saved
from maps.texts import Texts
from routing.incidents.ledger import Ledger
from routing.lifecycle.indicators import RATES, Tally

__all__ = ["COUNTS", "ledger_workbook"]

COUNTS = ("accepted", "opened", "due", "closed", "on_time", "reported", "verified", "reworked")


def ledger_workbook(ledger: Ledger, names: dict[str, str], words: Texts) -> bytes:
    """Write it as XLSX; words begin no formula.

    Parameters
    ----------
    names : dict of str to str
        What classes are called.
    """
    book = empty_workbook()
    heads = [words(f"count {name}") for name in COUNTS] + [words(f"rate {name}") for name in RATES]
    _sheet(book, words("Totals"), ["", *heads], [_line(words("All"), ledger.whole)])
    for kind, tallies in ledger.by.items():
        rows = [_line(names.get(key, key) or words("none"), one) for key, one in tallies.items()]
        _sheet(book, words(f"by {kind}"), [words(f"by {kind}"), *heads], rows)
    said: list[list[object]] = [
        [words(f"rate {name}"), words(f"definition {name}")] for name in RATES
    ]
    _sheet(book, words("Definitions"), [words("Indicator"), words("Definition")], said)
    return saved(book)


def _line(name: str, one: Tally) -> list[object]:
    counts = [getattr(one, count) for count in COUNTS]
    return [name, *counts, *(one.rate(rate) for rate in RATES)]


def _sheet(book: Workbook, title: str, heads: list[str], rows: list[list[object]]) -> None:
    for line in add_sheet(book, title, (heads, *rows), stays="B2").iter_rows():
        for cell in line:
            if isinstance(cell.value, float):
                cell.number_format = "0.00%"
