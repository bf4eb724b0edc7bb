"""Signing in: counted, checked beside the database's turns, and opened.

The database is asked twice, for as long as a row takes; between, the password is hashed in a pool
of its own. An unknown login takes the same way and the same time as a known one.
"""

from dataclasses import dataclass

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from api.guard import Guard, TooManyError
from api.session import in_turn
from api.sign_in_guard import Attempt, SignInGuard
from data.accounts import is_login
from data.audit import audit
from data.devices import Devices
from data.errors import NotFoundError
from data.passwords import DEMO_PASSWORD, fits, is_exempt, meets_rules
from data.sessions import Credentials, credentials_of, open_session

__all__ = ["DEVICE_COOKIE", "Opened", "check_password", "devices_of", "sign_in"]

DEVICE_COOKIE = "onegrid_device"
_WRONG = "login and password do not fit"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened.

    Attributes
    ----------
    token : str
        The session cookie's text.
    is_open : bool
        Whether no second step waits.
    device : str
        The device cookie's text; only where the session is open.
    """

    token: str
    is_open: bool
    device: str = ""


async def sign_in(request: Request, login: str, password: str) -> Opened:
    """Check a password and open a session.

    Raises
    ------
    NotFoundError
        If login and password do not fit, whichever is wrong.
    TooManyError
        If the name, the address or its range is closed to this device for a while.
    BusyError
        If too many sign in at once.
    """
    credentials = await check_password(request, login, password)
    must_change = not await _meets_rules(credentials, password)
    agent = request.headers.get("user-agent", "")

    def opened(session: Session) -> str:
        return open_session(session, credentials, device=agent, must_change=must_change)

    token = await in_turn(request, opened)
    if must_change or credentials.has_factor:
        return Opened(token, is_open=False)
    devices = await devices_of(request)
    cookie = request.cookies.get(DEVICE_COOKIE, "")
    return Opened(token, True, devices.with_device(cookie, login, credentials.device_stamp))


async def check_password(request: Request, login: str, password: str) -> Credentials:
    """Count a guess, and check it.

    Raises
    ------
    NotFoundError, TooManyError, BusyError
        As `sign_in`.
    """
    guard: SignInGuard = request.app.state.sign_ins
    devices = await devices_of(request)
    device = devices.device(request.cookies.get(DEVICE_COOKIE, ""), login)
    attempt = await run_in_threadpool(guard.device, device.number) if device else None
    if attempt is None:
        attempt = await _counted(request, login, password)
        device = None
    credentials = await in_turn(request, lambda session: credentials_of(session, login))
    if device is not None and device.stamp != credentials.device_stamp:
        # The password was changed since: its cookie opens no door beside the others.
        attempt, device = await _counted(request, login, password), None
    pool = request.app.state.passwords
    fitted = await pool.run(fits, password, credentials.password_hash, first=device is not None)
    # What the program prints opens nothing for others than this machine.
    is_printed = request.app.state.settings.is_exposed and password == DEMO_PASSWORD
    if not fitted or not credentials.account_id or is_printed:
        await _refused(request, credentials, password)
        raise NotFoundError(_WRONG)
    await run_in_threadpool(guard.give_back, attempt)
    return credentials


async def devices_of(request: Request) -> Devices:
    """What reads and writes the device cookie."""
    guard: Guard = request.app.state.guard
    if guard.has_secret:
        return Devices(guard.secret())
    return Devices(await run_in_threadpool(guard.secret))


async def _counted(request: Request, login: str, password: str) -> Attempt:
    guard: SignInGuard = request.app.state.sign_ins
    if guard.is_sprayed(password):
        raise TooManyError("this password is being tried on many names: use a known device", 900.0)
    try:
        guard.require_open(request, login)  # under an attack, this is the whole answer
        return await run_in_threadpool(guard.stranger, request, login)
    except TooManyError:
        if guard.is_news(login):
            await in_turn(request, lambda session: _note(session, request, "login.slowed", login))
        raise


async def _refused(request: Request, credentials: Credentials, password: str) -> None:
    login = credentials.login
    guard: SignInGuard = request.app.state.sign_ins
    names = await run_in_threadpool(guard.missed, request, login, password)

    def note(session: Session) -> None:
        _note(session, request, "login.refused", login)
        if names:
            _note(session, request, "login.sprayed", "", names=names)

    await in_turn(request, note)


def _note(session: Session, request: Request, action: str, login: str, **detail: int) -> None:
    """Security events name where they come from (GB/T 22239 8.1.4.3).

    What cannot be a login is not kept as it was typed: it would be read as part of the log.
    """
    named = login if is_login(login) else ""
    address = request.client.host if request.client else ""
    county = request.app.state.settings.county
    audit(session, county, named or "anybody", action, named, address=address, **detail)


async def _meets_rules(credentials: Credentials, password: str) -> bool:
    """Whether a password may stay; the demonstration's may for its own logins."""
    if is_exempt(credentials.county, credentials.login, password):
        return True
    return await run_in_threadpool(meets_rules, credentials.login, credentials.name, password)
