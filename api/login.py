"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api.pages import render
from api.session import COOKIE, Db
from data.errors import NotFoundError
from data.sessions import SESSION_HOURS, SignedIn, log_in, log_out, signed_in

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/login")
def form(request: Request, next: str = "") -> str:  # noqa: A002 - the parameter's public name
    """Show the form."""
    return render(request, "login.html", next=_own_path(next), failed=False)


@router.post("/login", response_model=None)
def sign_in(
    request: Request,
    db: Db,
    login: Annotated[str, Form(max_length=60)],
    password: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form()] = "",  # noqa: A002 - same
) -> HTMLResponse | RedirectResponse:
    """Open a session and go where the visitor was going."""
    try:
        token = log_in(db, login, password)
    except NotFoundError:
        page = render(request, "login.html", next=_own_path(next), failed=True)
        return HTMLResponse(page, 401)
    response = RedirectResponse(_own_path(next) or _home_of(signed_in(db, token)), 303)
    secure = request.app.state.settings.secure_cookies
    response.set_cookie(
        COOKIE, token, max_age=SESSION_HOURS * 3600, httponly=True, samesite="strict", secure=secure
    )
    return response


@router.post("/logout")
def sign_out(request: Request, db: Db) -> RedirectResponse:
    """Close the session."""
    log_out(db, request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


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
