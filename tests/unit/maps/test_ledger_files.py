"""The ledger's workbook: what staff and reporters have typed is never a formula."""

import io
from datetime import UTC, datetime

import openpyxl

from maps.ledger_files import ledger_workbook
from maps.texts import texts
from routing.incidents.ledger import Ledger
from routing.lifecycle.indicators import Tally

EVIL = ('=HYPERLINK("http://evil","x")', "+1+1", "-2", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A0")


def test_names_that_begin_like_formulas_stay_words() -> None:
    one = Tally(accepted=3, due=2, closed=1)
    by = {"grid": {}, "class": {"E01": one}, "department": dict.fromkeys(EVIL, one)}
    ledger = Ledger(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC), one, by)
    content = ledger_workbook(ledger, {"E01": "=1+1"}, texts("zh"))
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book for line in sheet.iter_rows() for cell in line]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n"}
    assert {*EVIL, "=1+1"} <= {cell.value for cell in cells}
