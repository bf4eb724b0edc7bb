"""Errors to HTTP: one table of statuses, problem+json for programs, a page for people."""

import json
import math
from datetime import datetime
from http import HTTPStatus
from typing import Any

import shapely
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.admission import BusyError
from api.guard import TooManyError
from api.measures import POOL_TIMEOUTS, REFUSED, UNANSWERED, route_of
from api.methods import methods_of
from api.pages import render, texts_of
from data.errors import (
    ClusterError,
    DatabaseError,
    NotFoundError,
    SourceError,
    StaleError,
    StateError,
    UnplannedError,
)
from data.importing.columns import LOCAL_ZONE
from data.jobs import QuotaError
from data.log import LOG, request_of
from data.log_setup import mark_told
from data.outages import Outage
from data.reasons import UNREACHABLE, is_locked, place_of, reason_of
from gis.errors import CrsError, GeometryError, OneGridError
from grids.redraw import EditRefusedError
from routing.errors import DeviceError, NetworkError, ReportError
from routing.lifecycle.errors import CalendarError, FlowError, TransitionRefusedError

__all__ = [
    "UNFIT",
    "WITHOUT_DATABASE",
    "LoginRequiredError",
    "OddQueryError",
    "RefusedError",
    "TooLargeError",
    "UnknownCrsError",
    "install",
    "status_of",
]


# A number beyond what is counted, a character that is none (U+0000, half of a pair).
UNFIT = "a value is none that can be kept here"


class LoginRequiredError(OneGridError):
    """Nobody is signed in."""


class RefusedError(OneGridError):
    """The one who is signed in may not do this, or the form's token is missing."""


class TooLargeError(OneGridError):
    """A file for which the server's disk has no room."""


class UnknownCrsError(OneGridError):
    """A coordinate system that an address of this server does not take."""


class OddQueryError(OneGridError):
    """A parameter that a standard's endpoint does not know, or cannot read."""


_STATUS: dict[type[OneGridError], int] = {
    OddQueryError: 400,
    UnknownCrsError: 400,
    LoginRequiredError: 401,
    RefusedError: 403,
    DeviceError: 403,
    NotFoundError: 404,
    StateError: 409,
    StaleError: 412,
    TooLargeError: 413,
    TooManyError: 429,
    QuotaError: 429,
    CrsError: 422,
    GeometryError: 422,
    EditRefusedError: 422,
    SourceError: 422,
    NetworkError: 422,
    ReportError: 422,
    CalendarError: 422,
    FlowError: 409,
    TransitionRefusedError: 409,
    BusyError: 503,
    DatabaseError: 503,
    ClusterError: 503,
}


def install(app: FastAPI) -> None:
    """Handle every error of the application."""
    app.add_exception_handler(OneGridError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DataError, _unfit)
    # Half of a surrogate pair: JSON can spell it, and nothing can keep or send it.
    app.add_exception_handler(UnicodeEncodeError, _unfit)
    app.add_exception_handler(ClientDisconnect, _left)
    for gone in UNREACHABLE:
        app.add_exception_handler(gone, _unanswered)
    app.add_exception_handler(Exception, _unexpected)


def _ours(request: Request, error: Exception) -> Response:
    if isinstance(error, LoginRequiredError) and not _is_api(request):
        return RedirectResponse(f"/login?next={request.url.path}", status_code=303)
    if why := next((name for kind, name in _REFUSED.items() if isinstance(error, kind)), ""):
        REFUSED.labels(why).inc()
    wait_s = error.wait_s if isinstance(error, TooManyError) else 1.0
    if isinstance(error, UnplannedError):
        return _answer(request, status_of(error), str(error), explanation=_UNPLANNED)
    return _answer(request, status_of(error), str(error), _more(error), wait_s)


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)


def _more(error: Exception) -> dict[str, Any]:
    """What a program can do something with: which rule is broken, and where (EPSG:4326)."""
    if isinstance(error, TransitionRefusedError):
        return {"rule": error.rule, "needed": error.needed}
    if isinstance(error, ReportError):
        return {"field": error.field}
    if not isinstance(error, EditRefusedError):
        return {}
    place = None if error.place is None else json.loads(shapely.to_geojson(error.place))
    return {"rule": error.rule, "place": place, "crs": "EPSG:4326"}


def _invalid(request: Request, error: Exception) -> Response:
    detail = "the request does not fit"
    if isinstance(error, RequestValidationError):
        parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        detail = "; ".join(parts)[:500]
    return _answer(request, 422, detail)


def _unfit(request: Request, _error: Exception) -> Response:
    return _answer(request, 422, UNFIT)


def _left(_request: Request, _error: Exception) -> Response:
    # Whoever sent half a body has gone: nobody reads this, and no log needs a traceback.
    return Response(status_code=400)


def _unanswered(request: Request, error: Exception) -> Response:
    if is_locked(error):
        LOG.warning("a request is ended that waits for another transaction", work=place_of(error))
        detail = "somebody else is changing this: try again in a moment"
        return _answer(request, 503, detail, is_told=True)
    UNANSWERED.inc()
    if isinstance(error, PoolTimeoutError):
        POOL_TIMEOUTS.inc()
    WITHOUT_DATABASE.failed(reason_of(error))
    return _answer(request, 503, "the database does not answer: try again in a moment")


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = _answer(request, status, str(getattr(error, "detail", "")))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["allow"] = ", ".join(methods_of(request.app.router.routes, request.scope))
    return answer


def _unexpected(request: Request, error: Exception) -> Response:
    # The text of an unforeseen error may hold anything: it goes neither to the client nor, unless
    # somebody looks for a fault, to the log.
    LOG.error(
        "a request fails unexpectedly",
        method=request.method,
        route=route_of(request.scope),
        exc_info=error,
    )
    mark_told(error)
    return _answer(request, 500, "an unexpected error; the log has the details", is_told=True)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(_PROGRAMS)


def _answer(
    request: Request,
    status: int,
    detail: str,
    more: dict[str, Any] | None = None,
    wait_s: float = 1.0,
    *,
    explanation: str = "",
    is_told: bool = False,
) -> Response:
    """A problem for programs, a page for people; `is_told`: the log tells of this request."""
    # What is quoted may hold halves of surrogate pairs, which no answer can.
    detail = detail.encode("utf-8", "backslashreplace").decode("utf-8")
    again = status in {_UNAVAILABLE, _TOO_MANY}
    headers = {"Retry-After": f"{math.ceil(wait_s)}"} if again else None
    if _is_api(request):
        body = {"type": "about:blank", "status": status, "title": HTTPStatus(status).phrase}
        if is_told:
            body["request"] = request_of()
        return JSONResponse(
            body | {"detail": detail} | (more or {}),
            status,
            headers=headers,
            media_type="application/problem+json",
        )
    words = texts_of(request)
    facts = {
        "status": status,
        "explanation": words(explanation or _EXPLANATIONS.get(status, "This did not work.")),
        "detail": detail,
        "number": request_of() if is_told else "",
        "at": f"{datetime.now(LOCAL_ZONE):%Y-%m-%d %H:%M:%S}" if again else "",
    }
    page = render(request, "error.html", **facts)
    return HTMLResponse(page, status, headers)


_TOO_MANY, _UNAVAILABLE = 429, 503
_REFUSED: dict[type[OneGridError], str] = {
    BusyError: "busy",
    TooManyError: "often",
    QuotaError: "quota",
}
# It is over when the thread that looks at the database finds it.
WITHOUT_DATABASE = Outage(
    "requests find no database", "requests still find no database", "requests find the database"
)
# Where programs ask: they are answered as RFC 9457 says, people with a page.
_PROGRAMS = ("/api/", "/point/", "/lost")
_UNPLANNED = "No grid plan has been published here yet."
# Each a key of the catalogues: what a person can do about it, in their own language.
_EXPLANATIONS = {
    403: "You may not do this, or the page is too old: load it again.",
    404: "There is nothing here.",
    409: "Things have changed meanwhile: load the page again.",
    413: "What was sent is too large.",
    422: "What was entered does not fit.",
    429: "That was much in little time: wait a little.",
    500: "The program failed. It has been recorded; try again later.",
    503: "The database does not answer; try again later.",
}
