"""Signing in and out: the password, the second factor, a password that must be changed."""

import math
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from api.admission import BusyError
from api.errors import RefusedError
from api.guard import TooManyError
from api.pages import render
from api.session import COOKIE, Db, checked_token, in_turn
from api.signing_in import DEVICE_COOKIE, devices_of, sign_in
from data.accounts import account_of, set_password_hash
from data.devices import DEVICE_DAYS
from data.errors import NotFoundError
from data.passwords import MOST_PASSWORD, fault_of, fits, hash_of
from data.second_factor import check_factor
from data.sessions import (
    SESSION_HOURS,
    SignedIn,
    Waiting,
    credentials_of,
    go_on,
    log_out,
    open_session,
    signed_in,
    waiting,
)

__all__ = ["NewPassword", "keep_cookies", "require_same_site", "router", "with_new_password"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Answer = HTMLResponse | RedirectResponse
# What is too long is refused with a word, and never cut: it would be another password.
NewPassword = Annotated[str, Form(max_length=10 * MOST_PASSWORD)]
_PAGES = {"factor": "/login/factor", "password": "/login/password"}


@router.get("/login", response_model=None)
async def form(request: Request, next: str = "") -> Answer:  # noqa: A002 - the public name
    """Show the form, or the step that a session waits for."""
    step = await _waiting(request) if COOKIE in request.cookies else None
    if step is not None:
        return _to_step(step.stage, next)
    return HTMLResponse(render(request, "login.html", next=_own_path(next), fault=""))


@router.post("/login", response_model=None)
async def take_password(
    request: Request,
    login: Annotated[str, Form(max_length=60)],
    password: Annotated[str, Form(max_length=MOST_PASSWORD)],
    next: Annotated[str, Form()] = "",  # noqa: A002 - same
) -> Answer:
    """Open a session and go where the visitor was going, or to the next step."""
    require_same_site(request)
    try:
        opened = await sign_in(request, login, password)
    except NotFoundError:
        return _again(request, next, "wrong", 401)
    except TooManyError as error:
        return _again(request, next, "many", 429, error.wait_s)
    except BusyError:
        return _again(request, next, "busy", 503, 2.0)
    if opened.is_open:
        response = await _go(request, opened.token, next)
    else:
        response = RedirectResponse(_with_next("/login", next), 303)
    keep_cookies(request, response, opened.token, opened.device)
    return response


@router.get("/login/factor", response_model=None)
async def factor_form(request: Request, next: str = "") -> Answer:  # noqa: A002 - same
    """Ask for the second factor."""
    return await _step_page(request, "factor", next)


@router.post("/login/factor", response_model=None)
async def take_factor(
    request: Request,
    csrf: Annotated[str, Form(max_length=100)],
    code: Annotated[str, Form(max_length=60)],
    next: Annotated[str, Form()] = "",  # noqa: A002 - same
) -> Answer:
    """Go on with a code of the telephone or a recovery code."""
    step = await _required(request, "factor", csrf)
    guard = request.app.state.sign_ins
    try:
        attempt = await run_in_threadpool(guard.factor, step.login)
    except TooManyError as error:
        return _step(request, step, next, "many", 429, error.wait_s)
    token = request.cookies[COOKIE]

    def take(session: Session) -> str:
        fitted = check_factor(session, step.login, code)
        return go_on(session, token, "factor") if fitted else ""

    stage = await in_turn(request, take)
    if not stage:
        return _step(request, step, next, "wrong", 401)
    await run_in_threadpool(guard.give_back, attempt)
    return await _stepped(request, step, token, stage, next)


@router.get("/login/password", response_model=None)
async def password_form(request: Request, next: str = "") -> Answer:  # noqa: A002 - same
    """Ask for a new password."""
    return await _step_page(request, "password", next)


@router.post("/login/password", response_model=None)
async def take_new_password(
    request: Request,
    csrf: Annotated[str, Form(max_length=100)],
    new: NewPassword,
    next: Annotated[str, Form()] = "",  # noqa: A002 - same
) -> Answer:
    """Set a new password in place of one that may not stay."""
    step = await _required(request, "password", csrf)
    if fault := await run_in_threadpool(fault_of, step.login, step.name, new):
        return _step(request, step, next, fault, 409)
    former = await in_turn(request, lambda session: credentials_of(session, step.login))
    pool = request.app.state.passwords
    if await pool.run(fits, new, former.password_hash, first=True):
        return _step(request, step, next, "same", 409)
    token = await with_new_password(request, step.login, await pool.run(hash_of, new, first=True))
    return await _stepped(request, step, token, "open", next)


@router.post("/logout")
def sign_out(request: Request, db: Db) -> RedirectResponse:
    """Close the session."""
    require_same_site(request)
    log_out(db, request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def require_same_site(request: Request) -> None:
    """Refuse a form that another site has sent, be it a sister of the same domain.

    Raises
    ------
    RefusedError
        If the browser says so.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise RefusedError("the form was sent by another site")


def keep_cookies(request: Request, response: Response, token: str, device: str) -> None:
    """Give the browser its session, and where one is given the mark of a known device."""
    secure = request.app.state.settings.is_https
    how = {"httponly": True, "samesite": "strict", "secure": secure}
    response.set_cookie(COOKIE, token, max_age=SESSION_HOURS * 3600, **how)
    if device:
        response.set_cookie(DEVICE_COOKIE, device, max_age=DEVICE_DAYS * 86400, **how)


async def with_new_password(request: Request, login: str, password_hash: str) -> str:
    """Set it, end all sessions and open one for this browser."""
    agent = request.headers.get("user-agent", "")

    def change(session: Session) -> str:
        set_password_hash(session, login, password_hash, actor=login)
        session.flush()
        # The second factor has been shown by whoever comes here.
        return open_session(session, credentials_of(session, login), device=agent, stage="open")

    return await in_turn(request, change)


async def _stepped(request: Request, step: Waiting, token: str, stage: str, path: str) -> Answer:
    if stage != "open":
        return _to_step(stage, path)
    stamp = await in_turn(request, lambda session: account_of(session, step.login).device_stamp)
    devices = await devices_of(request)
    cookie = devices.with_device(request.cookies.get(DEVICE_COOKIE, ""), step.login, stamp)
    response = await _go(request, token, path)
    keep_cookies(request, response, token, cookie)
    return response


async def _go(request: Request, token: str, path: str) -> RedirectResponse:
    """To where the visitor was going, else to where their work is."""
    target = _own_path(path)
    if not target:
        target = _home_of(await in_turn(request, lambda session: signed_in(session, token)))
    return RedirectResponse(target, 303)


async def _waiting(request: Request) -> Waiting | None:
    token = request.cookies.get(COOKIE)
    return await in_turn(request, lambda session: waiting(session, token))


async def _required(request: Request, stage: str, csrf: str) -> Waiting:
    step = await _waiting(request)
    if step is None or step.stage != stage:
        raise RefusedError("the form has expired: load the page again")
    checked_token(step.csrf, csrf)
    return step


async def _step_page(request: Request, stage: str, path: str) -> Answer:
    step = await _waiting(request)
    if step is None:
        return RedirectResponse(_with_next("/login", path), 303)
    if step.stage != stage:
        return _to_step(step.stage, path)
    return _step(request, step, path, "", 200)


def _step(
    request: Request, step: Waiting, path: str, fault: str, status: int, wait_s: float = 0.0
) -> HTMLResponse:
    template = f"login_{step.stage}.html"
    facts = {"csrf": step.csrf, "next": _own_path(path), "fault": fault}
    page = render(request, template, **facts, minutes=math.ceil(wait_s / 60))
    return HTMLResponse(page, status, _wait_headers(wait_s))


def _again(
    request: Request, path: str, fault: str, status: int, wait_s: float = 0.0
) -> HTMLResponse:
    minutes = math.ceil(wait_s / 60)
    page = render(request, "login.html", next=_own_path(path), fault=fault, minutes=minutes)
    return HTMLResponse(page, status, _wait_headers(wait_s))


def _wait_headers(wait_s: float) -> dict[str, str] | None:
    return {"Retry-After": f"{math.ceil(wait_s)}"} if wait_s else None


def _to_step(stage: str, path: str) -> RedirectResponse:
    return RedirectResponse(_with_next(_PAGES[stage], path), 303)


def _with_next(path: str, target: str) -> str:
    own = _own_path(target)
    return f"{path}?next={own}" if own else path


def _own_path(path: str) -> str:
    """A path of this host: never an address that leads elsewhere; empty where there is none."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else ""


def _home_of(who: SignedIn | None) -> str:
    """Where somebody's work is."""
    roles = who.roles if who is not None else frozenset()
    homes = (
        ("/planner", {"planner", "reviewer"}),
        ("/dispatch", {"dispatcher", "centre"}),
        ("/work", {"worker"}),
    )
    return next((path for path, held in homes if roles & held), "/planner")
