"""One's own account: password, sessions, second factor."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Depends, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from api.login import NewPassword, keep_cookies, with_new_password
from api.pages import render
from api.session import COOKIE, checked_form, in_turn, of_anybody
from api.signing_in import DEVICE_COOKIE, check_password, devices_of
from data import second_factor
from data.accounts import account_of
from data.errors import NotFoundError, StateError
from data.passwords import MOST_PASSWORD, fault_of, hash_of
from data.sessions import SignedIn, end_others, sessions_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Own = Annotated[SignedIn, Depends(of_anybody)]
Csrf = Annotated[str, Form(max_length=100)]
Password = Annotated[str, Form(max_length=MOST_PASSWORD)]


@router.get("/account")
async def own_account(request: Request, who: Own, done: str = "") -> str:
    """Show password form, sessions and second factor, and what was just done."""
    return await _page(request, who, done=done)


@router.post("/account/password", response_model=None)
async def change_password(
    request: Request, who: Own, csrf: Csrf, password: Password, new: NewPassword
) -> HTMLResponse | RedirectResponse:
    """Set another password; all other sessions end."""
    checked_form(who, csrf)
    if not await _confirmed(request, who, password):
        return HTMLResponse(await _page(request, who, fault="wrong"), 401)
    if fault := await run_in_threadpool(fault_of, who.login, who.name, new):
        return HTMLResponse(await _page(request, who, fault=fault), 409)
    if new == password:
        return HTMLResponse(await _page(request, who, fault="same"), 409)
    pool = request.app.state.passwords
    token = await with_new_password(request, who.login, await pool.run(hash_of, new, first=True))
    response = RedirectResponse("/account?done=password", 303)
    await _known(request, response, who, token)
    return response


@router.post("/account/sessions/end", response_model=None)
async def end_other_sessions(
    request: Request, who: Own, csrf: Csrf, password: Password
) -> HTMLResponse | RedirectResponse:
    """End all other sessions, and forget all other devices."""
    checked_form(who, csrf)
    if not await _confirmed(request, who, password):
        return HTMLResponse(await _page(request, who, fault="wrong"), 401)
    token = request.cookies[COOKIE]
    await in_turn(request, lambda session: end_others(session, who.login, token))
    response = RedirectResponse("/account?done=sessions", 303)
    await _known(request, response, who, token)
    return response


@router.post("/account/factor/begin", response_model=None)
async def begin_factor(
    request: Request, who: Own, csrf: Csrf, password: Password
) -> HTMLResponse | RedirectResponse:
    """Make a secret for the telephone."""
    checked_form(who, csrf)
    if not await _confirmed(request, who, password):
        return HTMLResponse(await _page(request, who, fault="wrong"), 401)
    await in_turn(request, lambda session: second_factor.begin_factor(session, who.login))
    return RedirectResponse("/account#factor", 303)


@router.post("/account/factor/confirm")
async def confirm_factor(
    request: Request, who: Own, csrf: Csrf, code: Annotated[str, Form(max_length=20)]
) -> HTMLResponse:
    """Ask for the second factor from now on, and show the recovery codes; other sessions end."""
    checked_form(who, csrf)
    token = request.cookies[COOKIE]
    guard = request.app.state.sign_ins
    attempt = await run_in_threadpool(guard.factor, who.login)

    def confirm(session: Session) -> list[str]:
        codes = second_factor.confirm_factor(session, who.login, code)
        # They were opened by the password alone.
        end_others(session, who.login, token)
        return codes

    try:
        codes = await in_turn(request, confirm)
    except StateError:
        return HTMLResponse(await _page(request, who, fault="code"), 409)
    await run_in_threadpool(guard.give_back, attempt)
    response = HTMLResponse(await _page(request, who, codes=codes, done="sessions"))
    await _known(request, response, who, token)
    return response


@router.post("/account/factor/codes")
async def renew_codes(request: Request, who: Own, csrf: Csrf, password: Password) -> HTMLResponse:
    """Make new recovery codes in place of the former ones."""
    checked_form(who, csrf)
    if not await _confirmed(request, who, password):
        return HTMLResponse(await _page(request, who, fault="wrong"), 401)

    def renew(session: Session) -> list[str]:
        if not second_factor.has_factor(session, who.login):
            raise StateError("there is no second factor to recover")
        return second_factor.new_recovery_codes(session, who.login)

    return HTMLResponse(await _page(request, who, codes=await in_turn(request, renew)))


@router.post("/account/factor/remove", response_model=None)
async def remove_factor(
    request: Request, who: Own, csrf: Csrf, password: Password
) -> HTMLResponse | RedirectResponse:
    """Ask for the password alone again."""
    checked_form(who, csrf)
    if not await _confirmed(request, who, password):
        return HTMLResponse(await _page(request, who, fault="wrong"), 401)

    def remove(session: Session) -> None:
        second_factor.remove_factor(session, who.login, actor=who.login)

    await in_turn(request, remove)
    return RedirectResponse("/account#factor", 303)


async def _confirmed(request: Request, who: SignedIn, password: str) -> bool:
    """Whether the password fits once more: a desk left open gives no account away."""
    try:
        await check_password(request, who.login, password)
    except NotFoundError:
        return False
    return True


async def _known(request: Request, response: Response, who: SignedIn, token: str) -> None:
    """Give this browser its cookies anew: the former mark of a known device holds no longer."""
    stamp = await in_turn(request, lambda session: account_of(session, who.login).device_stamp)
    devices = await devices_of(request)
    cookie = devices.with_device(request.cookies.get(DEVICE_COOKIE, ""), who.login, stamp)
    keep_cookies(request, response, token, cookie)


async def _page(
    request: Request,
    who: SignedIn,
    *,
    fault: str = "",
    done: str = "",
    codes: list[str] | None = None,
) -> str:
    token = request.cookies[COOKIE]

    def facts(session: Session) -> dict[str, Any]:
        return {
            "sessions": sessions_of(session, who.login, token),
            "has_factor": second_factor.has_factor(session, who.login),
            "address": second_factor.factor_address(session, who.login),
            "codes_left": second_factor.recovery_codes_left(session, who.login),
        }

    found = await in_turn(request, facts)
    address = found.pop("address")
    secret = address.partition("secret=")[2].partition("&")[0]
    return render(
        request,
        "account.html",
        **found,
        local=_local,
        device_name=_device_name,
        csrf=who.csrf,
        fault=fault,
        done=done,
        codes=codes or [],
        secret=secret,
        qr=_qr(address) if address else "",
    )


def _qr(address: str) -> str:
    """A picture in the page itself: it holds the secret, and has no address of its own."""
    return segno.make(address, error="m").svg_data_uri(scale=4)


def _local(at: datetime) -> str:
    return f"{at.astimezone(_ZONE):%Y-%m-%d %H:%M}"


def _device_name(agent: str) -> str:
    """Browser and system, of what a browser calls itself; empty where neither is known."""
    known = (next((name for sign, name in names if sign in agent), "") for names in _NAMES)
    return " · ".join(filter(None, known))


_ZONE = ZoneInfo("Asia/Shanghai")
# What a browser's name for itself holds, the most telling first.
_NAMES = (
    (
        ("MicroMessenger", "微信"),
        ("Edg", "Edge"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ),
    (
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ),
)
