"""The ledger 台账 of a week or a month: page, XLSX, PDF; of the area and classes of the reader."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

from api.moments import Day
from api.pages import language_of, render, texts_of
from api.papers import Paper
from api.session import Db, desk, desk_role
from data.importing.columns import LOCAL_ZONE
from data.models import IncidentClass
from data.sessions import SignedIn
from maps.ledger_files import COUNTS, ledger_workbook
from routing.incidents.ledger import Ledger, ledger_of, period_of
from routing.lifecycle.indicators import RATES

__all__ = ["router"]

router = APIRouter(prefix="/dispatch/ledger", include_in_schema=False)
Reader = Annotated[SignedIn, Depends(desk("dispatcher", "centre"))]
Kind = Annotated[Literal["week", "month"], Query(alias="period")]
Of = Annotated[Day | None, Query()]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _ledger(db: Db, who: SignedIn, kind: str, of: date | None) -> Ledger:
    role = desk_role(who)
    begin, end = period_of(kind, of or datetime.now(LOCAL_ZONE).date())
    return ledger_of(db, who.scope(role), begin, end)


def _names(request: Request, db: Db) -> dict[str, str]:
    chinese = language_of(request) == "zh"
    rows: Sequence[IncidentClass] = db.scalars(select(IncidentClass)).all()
    return {one.code: one.name if chinese else one.name_en for one in rows}


def _page(request: Request, db: Db, ledger: Ledger, template: str, **more: Any) -> str:
    names = _names(request, db)
    return render(
        request,
        template,
        ledger=ledger,
        counts=COUNTS,
        rates=tuple(RATES),
        zone=LOCAL_ZONE,
        last_day=(ledger.end - timedelta(days=1)).date(),
        by_class=[(names.get(key, key), one) for key, one in ledger.by["class"].items()],
        **more,
    )


@router.get("", response_class=HTMLResponse)
def page(request: Request, db: Db, who: Reader, kind: Kind = "week", of: Of = None) -> str:
    """The ledger with its definitions."""
    day = of or datetime.now(LOCAL_ZONE).date()
    ledger = _ledger(db, who, kind, day)
    return _page(request, db, ledger, "ledger.html", kind=kind, of=day)


@router.get("/table.xlsx")
def workbook(request: Request, db: Db, who: Reader, kind: Kind = "week", of: Of = None) -> Response:
    """The ledger as a workbook."""
    ledger = _ledger(db, who, kind, of)
    content = ledger_workbook(ledger, _names(request, db), texts_of(request))
    headers = {"Content-Disposition": f'attachment; filename="{_name(ledger, "xlsx")}"'}
    return Response(content, media_type=_XLSX, headers=headers)


@router.get("/print.pdf")
def printed(request: Request, db: Db, who: Reader, kind: Kind = "week", of: Of = None) -> Response:
    """The ledger for print."""
    ledger = _ledger(db, who, kind, of)
    html = _page(request, db, ledger, "ledger_print.html")
    return Paper(html, _name(ledger, "pdf"))


def _name(ledger: Ledger, suffix: str) -> str:
    return f"ledger-{ledger.begin:%Y-%m-%d}.{suffix}"
