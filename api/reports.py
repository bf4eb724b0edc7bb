"""The change report of a draft as page, PDF and XLSX, and its conflicts after a replay."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from api.drafts import scope_of, workbench
from api.pages import render, texts_of
from api.papers import Paper
from api.session import Db, desk
from data.sessions import SignedIn
from grids.drafting import journal
from grids.drafting.change_report import ChangeReport, CommunityChange, change_report
from grids.drafting.conflicts import conflicts_of
from maps.change_files import report_workbook
from maps.change_svg import conflict_pictures, plan_picture

__all__ = ["router"]

router = APIRouter(prefix="/planner/drafts/{number}", include_in_schema=False)
Reader = Annotated[SignedIn, Depends(desk("planner", "reviewer"))]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _report(request: Request, db: Db, who: SignedIn, number: int) -> ChangeReport:
    return change_report(db, workbench(request), journal.draft_in(db, scope_of(who), number))


def _page(request: Request, template: str, report: ChangeReport, *, printed: bool) -> str:
    words = texts_of(request)

    def picture(one: CommunityChange, side: str) -> Any:
        plan = one.before if side == "before" else one.after
        other = one.after if side == "before" else one.before
        held = dict(zip(other.keys, other.figures, strict=True))
        own = zip(plan.keys, plan.figures, strict=True)
        marked = frozenset(key for key, figures in own if held.get(key) is not figures)
        return plan_picture(plan, marked, f"{one.name}, {words(side)}")

    return render(
        request, template, report=report, draft=report.draft, picture=picture, printed=printed
    )


@router.get("/report", response_class=HTMLResponse)
def page(request: Request, db: Db, who: Reader, number: int) -> str:
    """The report with a slider over the maps before and after."""
    return _page(request, "report.html", _report(request, db, who, number), printed=False)


@router.get("/report.pdf")
def pdf(request: Request, db: Db, who: Reader, number: int) -> Response:
    """The report for print."""
    report = _report(request, db, who, number)
    html = _page(request, "report_print.html", report, printed=True)
    return Paper(html, f"draft-{number}.pdf")


@router.get("/report.xlsx")
def workbook(request: Request, db: Db, who: Reader, number: int) -> Response:
    """The report's tables."""
    content = report_workbook(_report(request, db, who, number), texts_of(request))
    name = f'attachment; filename="draft-{number}.xlsx"'
    return Response(content, media_type=_XLSX, headers={"Content-Disposition": name})


@router.get("/conflicts", response_class=HTMLResponse)
def conflicts(request: Request, db: Db, who: Reader, number: int) -> str:
    """What a replay passed over: as the draft had it, beside what is there now."""
    draft, bench, words = (
        journal.draft_in(db, scope_of(who), number),
        workbench(request),
        texts_of(request),
    )
    labels = words("as the draft had it"), words("replayed on the present plan")
    told = []
    for one in conflicts_of(db, draft, journal.edits_in_force(db, draft)):
        now = bench.community(db, draft, one.code)
        former, present = conflict_pictures(one.former, now, labels)
        told.append({"conflict": one, "former": former, "now": present})
    return render(request, "conflicts.html", draft=draft, conflicts=told)
