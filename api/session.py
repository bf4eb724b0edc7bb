"""What a request needs: the database session, the signed-in account, the county's engines."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy.orm import Session

from api.engines import Engines
from api.errors import LoginRequiredError, RefusedError
from api.rights import Rights, Stream
from data.audit import audit
from data.sessions import SignedIn, signed_in

__all__ = [
    "COOKIE",
    "Db",
    "changing",
    "checked_form",
    "county_of",
    "desk",
    "desk_role",
    "engines",
    "stream_of",
]

COOKIE = "onegrid_session"


async def _db(request: Request) -> AsyncIterator[Session]:
    state = request.app.state
    async with (
        state.admission.turn(),
        contextmanager_in_threadpool(state.database.session()) as session,
    ):
        yield session


Db = Annotated[Session, Depends(_db, scope="function")]


def county_of(request: Request) -> str:
    """The county that this server serves."""
    county: str = request.app.state.settings.county
    return county


def desk(*roles: str, noted: bool = True, asks: bool = False) -> Callable[..., SignedIn]:
    """Dependency: somebody with one of these roles is signed in, or the request ends here.

    Who saw which record is noted in the audit log, but for what holds nothing of persons (`noted`
    False), such as tiles; never what was searched for or where. In which area the role holds is
    asked where the query is made.

    Parameters
    ----------
    asks : bool
        The endpoint only asks, though by POST: places do not stand in an address line.
    """

    def check(request: Request, db: Db) -> SignedIn:
        who = signed_in(db, request.cookies.get(COOKIE))
        if who is None:
            raise LoginRequiredError("sign in first")
        request.state.who = who
        if who.county != county_of(request) or not who.roles & set(roles):
            raise RefusedError(f"this needs the role {' or '.join(roles)}")
        if noted and (asks or request.method == "GET"):
            audit(db, who.county, who.login, "see", _subject(request))
        return who

    return check


def _subject(request: Request) -> str:
    """What was asked for: the route with its records' numbers and codes, and nothing else."""
    path: str = request.scope["route"].path
    for name, value in request.path_params.items():
        if re.fullmatch(r"\d{1,20}", str(value)):
            path = path.replace(f"{{{name}}}", str(value))
    return path


def changing(*roles: str) -> Callable[..., SignedIn]:
    """Dependency: the role, and the session's token in the header ``X-CSRF-Token``."""
    check = desk(*roles)

    def changing(
        request: Request, db: Db, x_csrf_token: Annotated[str, Header(max_length=100)] = ""
    ) -> SignedIn:
        who = check(request, db)
        checked_form(who, x_csrf_token)
        return who

    return changing


def desk_role(who: SignedIn) -> str:
    """As what somebody sits at the dispatchers' desk; the wider of two roles."""
    return "dispatcher" if "dispatcher" in who.roles else "centre"


def checked_form(who: SignedIn, csrf: str) -> None:
    """Refuse a form that was not made for this session."""
    # As bytes: of text only ASCII is compared.
    if not secrets.compare_digest(who.csrf.encode(), csrf.encode(errors="replace")):
        raise RefusedError("the form has expired: load the page again")


def stream_of(request: Request, who: SignedIn, may: Callable[[SignedIn], bool]) -> Stream:
    """A stream for whoever is signed in, that ends when they are not, or may not any more."""
    rights: Rights = request.app.state.rights
    return Stream(rights, rights.hold(request.cookies.get(COOKIE, ""), who), may)


def engines(request: Request) -> Engines:
    """The engines of this process."""
    held: Engines = request.app.state.engines
    return held
