"""Drafts for the workbench's page and for programs: edit, undo, replay, review, publish."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from api.errors import RefusedError
from api.moments import Moment
from api.session import Db, changing, county_of, desk, stream_of
from data.errors import NotFoundError, StaleError, StateError
from data.models import Generation
from data.people import find_people
from data.scope import Scope
from data.sessions import SignedIn
from grids.assign import assign_incidents
from grids.drafting import Acknowledged, Workbench, journal
from grids.drafting.overview import overview
from grids.drafting.panel import community_panel, consequences, totals
from grids.drafting.review import add_note, resolve_note, take_step
from grids.figures import drafts as drafts_of
from grids.publishing import draft_of_former, publish
from grids.staffing import join_staff

__all__ = ["router", "workbench"]

router = APIRouter(prefix="/api/v1/drafts", tags=["drafts"])
_READERS = ("planner", "reviewer")
# Of a planner's machine and the server.
_CLOCKS_APART = timedelta(minutes=5)
Reader = Annotated[SignedIn, Depends(desk(*_READERS))]
Watcher = Annotated[SignedIn, Depends(desk(*_READERS, polled=True))]


Planner = Annotated[SignedIn, Depends(changing("planner"))]
Reviewer = Annotated[SignedIn, Depends(changing("reviewer"))]
Either = Annotated[SignedIn, Depends(changing(*_READERS))]
# The version that the planner saw, as the ETag gave it.
IfMatch = Annotated[str, Header(max_length=40, pattern=r'^"\d+"$', alias="If-Match")]


def workbench(request: Request) -> Workbench:
    """The workbench of this process."""
    held: Workbench = request.app.state.workbench
    return held


def scope_of(who: SignedIn) -> Scope:
    """Where somebody may read drafts: where they plan or review."""
    held = [one.division for one in who.grants if one.role in _READERS]
    return Scope.of(who.county, held)


Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


class NewDraft(BaseModel):
    """A draft to begin over the latest plan, or over an earlier one's grids."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)
    area: str | None = Field(None, pattern=r"^(\d{6}|\d{12})$")
    profile: str = Field("tongliao", max_length=30)
    former: int | None = Field(None, description="Generation whose grids come back")


class Position(BaseModel):
    """Where to undo or redo to."""

    position: int = Field(ge=0)


class Named(BaseModel):
    """A checkpoint's name."""

    name: str = Field(min_length=1, max_length=100)


class Note(BaseModel):
    """A comment, pinned to a place (longitude, latitude; EPSG:4326) or not."""

    model_config = ConfigDict(allow_inf_nan=False)

    words: str = Field(min_length=1, max_length=4000)
    place: tuple[Longitude, Latitude] | None = None


class Reason(BaseModel):
    """Why a step is taken."""

    reason: str = Field("", max_length=4000)


class When(BaseModel):
    """From when a plan holds; now by default."""

    at: Moment | None = None


@router.get("")
def listed(db: Db, who: Reader) -> dict[str, Any]:
    """Drafts of the area that are not published."""
    rows = drafts_of(db, scope_of(who))
    return {"drafts": [dict(row._mapping) for row in rows]}  # noqa: SLF001 - SQLAlchemy's name for it


@router.post("", status_code=201)
def create(request: Request, db: Db, who: Planner, asked: NewDraft) -> JSONResponse:
    """Begin a draft."""
    bench, scope = workbench(request), who.scope("planner")
    if asked.former is not None:
        if not scope.is_whole:
            raise RefusedError("an earlier plan is brought back by the county only")
        draft, stay = draft_of_former(db, bench, who.county, asked.former, author=who.login)
    else:
        draft, stay = (
            bench.create(
                db,
                scope,
                author=who.login,
                title=asked.title,
                area=asked.area,
                profile=asked.profile,
            ),
            (),
        )
    return _told(overview(db, draft) | {"stay": list(stay)}, draft.version, 201)


@router.get("/{number}")
def read(request: Request, db: Db, who: Reader, number: int) -> JSONResponse:
    """A draft with its edits, notes and steps, and the totals of its area."""
    draft = journal.draft_in(db, scope_of(who), number)
    return _told(_current(request, db, draft), draft.version)


@router.get("/{number}/communities/{code}")
def community(request: Request, db: Db, who: Reader, number: int, code: str) -> dict[str, Any]:
    """Grids of a community as the draft has them, and what to look at."""
    draft = journal.draft_in(db, scope_of(who), number)
    if not Scope.of(who.county, [draft.area]).covers(code):
        raise NotFoundError(f"community {code} is not in draft {number}")
    bench = workbench(request)
    plan = bench.community(db, draft, code)
    return community_panel(plan, bench.state(db, draft))


class Change:
    """A change of a draft that somebody asks for, on the version that they saw."""

    def __init__(self, request: Request, db: Db, who: Planner, number: int, seen: IfMatch) -> None:
        self._request, self._db, self._who, self._number = request, db, who, number
        self._version = int(seen.strip('"'))
        self.bench = workbench(request)

    def made(self, do: Callable[..., Acknowledged], *more: Any) -> JSONResponse:
        """Do it, and tell what it has brought about; 412 with the present state if it is stale."""
        scope, author = self._who.scope("planner"), self._who.login
        try:
            done = do(self._db, scope, self._number, self._version, *more, author=author)
        except StaleError as error:
            return self._stale(error)
        draft = journal.draft_in(self._db, scope, self._number)
        return _told(consequences(self._db, self.bench, draft, done), done.version)

    def _stale(self, error: StaleError) -> JSONResponse:
        draft = journal.draft_in(self._db, scope_of(self._who), self._number)
        problem = {"type": "about:blank", "title": "Changed meanwhile", "status": 412}
        current = _current(self._request, self._db, draft)
        return _told(problem | {"detail": str(error), "current": current}, draft.version, 412)


Asked = Annotated[Change, Depends()]


@router.get("/{number}/people")
def people(
    db: Db,
    who: Reader,
    number: int,
    role: Annotated[str, Query(max_length=30)] = "gridworker",
    words: Annotated[str, Query(max_length=60)] = "",
) -> dict[str, Any]:
    """Who may be made responsible: by role, and by a part of the name or area."""
    draft = journal.draft_in(db, scope_of(who), number)
    found = find_people(db, Scope.of(who.county, [draft.area]), role, words)
    return {"people": [{"id": one.id, "name": one.name, "area": one.area_ref} for one in found]}


@router.post("/{number}/edits")
def edit(change: Asked, operation: Annotated[dict[str, Any], Body()]) -> JSONResponse:
    """Do one operation; 422 with the place where it cannot be, 412 where the draft moved on."""
    return change.made(change.bench.edit, operation)


@router.post("/{number}/undo")
def undo(change: Asked) -> JSONResponse:
    """Take the last edit back."""
    return change.made(change.bench.undo)


@router.post("/{number}/redo")
def redo(change: Asked) -> JSONResponse:
    """Put the edit that was taken back last in force again."""
    return change.made(change.bench.redo)


@router.post("/{number}/go")
def go(change: Asked, to: Position) -> JSONResponse:
    """Undo or redo up to a position, such as a checkpoint's."""
    return change.made(change.bench.go_to, to.position)


@router.post("/{number}/rebase")
def rebase(change: Asked) -> JSONResponse:
    """Replay a draft on the latest plan; edits that no longer apply come back with the reason."""
    return change.made(change.bench.rebase)


@router.post("/{number}/checkpoints")
def checkpoint(db: Db, who: Planner, number: int, named: Named) -> JSONResponse:
    """Name the draft's present position."""
    draft = journal.draft_in(db, who.scope("planner"), number, lock=True)
    journal.add_checkpoint(db, draft, named.name, who.login)
    db.flush()
    return _told(overview(db, draft), draft.version)


@router.post("/{number}/notes", status_code=201)
def note(db: Db, who: Either, number: int, said: Note) -> JSONResponse:
    """Comment on a draft."""
    scope = scope_of(who)
    add_note(db, scope, number, said.words, author=who.login, place=said.place)
    draft = journal.draft_in(db, scope, number)
    return _told(overview(db, draft), draft.version, 201)


@router.post("/{number}/notes/{note_id}/resolve")
def resolve(db: Db, who: Either, number: int, note_id: int) -> JSONResponse:
    """Mark a comment as dealt with."""
    scope = scope_of(who)
    resolve_note(db, scope, number, note_id, datetime.now(UTC))
    draft = journal.draft_in(db, scope, number)
    return _told(overview(db, draft), draft.version)


@router.post("/{number}/steps/{step}")
def step(
    db: Db,
    who: Either,
    number: int,
    step: Literal["submit", "withdraw", "discard", "return", "approve"],
    said: Reason,
) -> JSONResponse:
    """Submit, withdraw or discard (planner), return or approve (reviewer)."""
    role = "reviewer" if step in {"return", "approve"} else "planner"
    if role not in who.roles:
        raise RefusedError(f"this needs the role {role}")
    draft = take_step(db, who.scope(role), number, step, actor=who.login, reason=said.reason)
    return _told(overview(db, draft), draft.version)


@router.post("/{number}/publish")
def publish_draft(request: Request, db: Db, who: Reviewer, number: int, when: When) -> JSONResponse:
    """Publish an approved draft, now or at a later time; the county does."""
    scope = who.scope("reviewer")
    draft = journal.draft_in(db, scope, number, lock=True)
    if not scope.is_whole:
        raise RefusedError("a plan is published by the county")
    if draft.state != "approved":
        raise RefusedError(f"draft {number} is {draft.state}: it must be approved first")
    at = when.at if when.at is None or when.at.tzinfo else when.at.replace(tzinfo=UTC)
    if at is not None and at < datetime.now(UTC) - _CLOCKS_APART:
        raise StateError("a plan holds from now on or from a later time, never from an earlier one")
    made = publish(db, county_of(request), number, at=at, actor=who.login)
    join_staff(db, who.county, at=at)
    if at is None:
        assign_incidents(db, who.county)
    journal.touch(db, made)
    return _told(overview(db, made), made.version)


@router.get("/{number}/events")
async def events(request: Request, who: Watcher, number: int) -> EventSourceResponse:
    """What happens to a draft, and who else is there, as server-sent events."""
    area = await _area_of(request, who, number)
    stream = stream_of(request, who, lambda now: scope_of(now).covers(area))
    return stream.answer(request.app.state.watching.events(stream, number, who))


async def _area_of(request: Request, who: SignedIn, number: int) -> str:
    """The area of a draft that somebody may read."""

    def look() -> str:
        with request.app.state.database.session() as session:
            return journal.draft_in(session, scope_of(who), number).area

    return await run_in_threadpool(look)


def _current(request: Request, db: Db, draft: Generation) -> dict[str, Any]:
    bench = workbench(request)
    state = bench.state(db, draft)
    was, now = totals(db, bench, draft, state)
    return overview(db, draft) | {
        "communities": sorted(state.plans),
        "totals": {"before": was, "after": now},
    }


def _told(value: dict[str, Any], version: int, status: int = 200) -> JSONResponse:
    return JSONResponse(jsonable_encoder(value), status, headers={"ETag": f'"{version}"'})
