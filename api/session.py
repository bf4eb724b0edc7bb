"""What a request needs: the database session, the signed-in account, the county's engines."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from sqlalchemy.orm import Session

from api.admission import BusyError
from api.engines import Engines
from api.errors import LoginRequiredError, RefusedError
from api.rights import Rights, Stream
from data.audit_reads import ReadLog
from data.database import Database
from data.sessions import SignedIn, signed_in

__all__ = [
    "COOKIE",
    "Db",
    "audit_read",
    "changing",
    "checked_form",
    "checked_token",
    "county_of",
    "desk",
    "desk_role",
    "engines",
    "in_turn",
    "of_anybody",
    "stream_of",
]

R = TypeVar("R")
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


def desk(*roles: str, polled: bool = False, asks: bool = False) -> Callable[..., SignedIn]:
    """Dependency: somebody with one of these roles is signed in, or the request ends here.

    Who saw which record is noted in the audit log; never what was searched for or where. In which
    area the role holds is asked where the query is made.

    Parameters
    ----------
    polled : bool
        Pages ask for it again and again by themselves: it is noted once a minute.
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
        if asks or request.method == "GET":
            audit_read(request, who, once=polled)
        return who

    return check


def of_anybody(request: Request, db: Db) -> SignedIn:
    """Dependency: somebody is signed in, whatever their roles."""
    who = signed_in(db, request.cookies.get(COOKIE))
    if who is None or who.county != county_of(request):
        raise LoginRequiredError("sign in first")
    request.state.who = who
    return who


def audit_read(request: Request, who: SignedIn, *, once: bool = False) -> None:
    """Note who looks at which record; it is written within a second, with many others.

    The action is the address without values; the subject names the record, and nothing else that
    was asked: places and words are nobody's business later.
    """
    log: ReadLog = request.app.state.read_log
    if log.is_full:
        raise BusyError("what is read cannot be noted now: try again in a moment")
    route = getattr(request.scope.get("route"), "path", request.url.path)
    asked = request.path_params | {key: request.query_params.get(key, "") for key in _RECORDS}
    asked = {key: said for key, said in asked.items() if key not in _PLACES}
    subject = " ".join(
        f"{key}={said}" for key, said in asked.items() if re.fullmatch(r"\d{1,20}", str(said))
    )
    log.note(who.login, f"see {route}", subject, once=once)


# What an address asks for by number beside its path.
_RECORDS = ("incident", "person", "draft", "grid", "former")
# Of a path: which part of a map was looked at.
_PLACES = frozenset({"z", "x", "y"})


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
    checked_token(who.csrf, csrf)


def checked_token(expected: str, csrf: str) -> None:
    """Refuse a form whose token is another; as bytes, since it may hold any letter."""
    if not secrets.compare_digest(expected.encode(), csrf.encode(errors="replace")):
        raise RefusedError("the form has expired: load the page again")


def stream_of(request: Request, who: SignedIn, may: Callable[[SignedIn], bool]) -> Stream:
    """A stream for whoever is signed in, that ends when they are not, or may not any more."""
    rights: Rights = request.app.state.rights
    return Stream(rights, rights.hold(request.cookies.get(COOKIE, ""), who), may)


async def in_turn(request: Request, work: Callable[[Session], R]) -> R:
    """Do something in a transaction of its own, within one turn at the database."""
    state = request.app.state
    async with state.admission.turn():
        return await run_in_threadpool(_in_session, state.database, work)


def _in_session(database: Database, work: Callable[[Session], R]) -> R:
    with database.session() as session:
        return work(session)


def engines(request: Request) -> Engines:
    """The engines of this process."""
    held: Engines = request.app.state.engines
    return held
