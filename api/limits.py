"""What a request may be before anything reads it: its query, and how long its body is."""

import re

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import TooLargeError
from data.pictures import LARGEST_PHOTO

__all__ = [
    "LARGEST_BODY",
    "LARGEST_ROWS",
    "BodyLimit",
    "PlainBodies",
    "PlainCookies",
    "PlainForms",
    "PlainQuery",
    "body_of",
]

# A drawn polygon of some ten thousand points.
LARGEST_BODY = 2_000_000
# Ten thousand rows with their addresses.
LARGEST_ROWS = 16_000_000
_FORMS = (b"multipart/form-data", b"application/x-www-form-urlencoded")
_PLAIN_COOKIE = re.compile(rb" *[\w.-]+=[\w.~+/=%-]* *")
_UTF_8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
LARGEST_PLAN, LARGEST_TABLE = 200 * 2**20, 512 * 2**20
_LARGER = {
    re.compile(r"/api/v1/assign"): LARGEST_ROWS,
    re.compile(r"/api/v1/incidents/table"): 8_000_000,
    re.compile(r"/report|/api/v1/incidents/\d+/photos"): LARGEST_PHOTO + 100_000,
    # Files go to the disk as they come, after it was asked who sends them.
    re.compile(r"/planner/drafts/adopt"): LARGEST_PLAN,
    re.compile(r"/api/v1/assign/jobs"): LARGEST_TABLE,
}


class PlainQuery:
    """Refuse with 400 a query that is not ASCII: nothing behind could read it, errors neither."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "http" and not scope["query_string"].isascii():
            refused = PlainTextResponse("a query's letters must be percent-encoded", 400)
            await refused(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class PlainForms:
    """Refuse with 415 a form that says it is anything but UTF-8.

    Starlette decodes each field by the codec that the sender names, before anybody has signed in;
    Python knows some whose time grows with the square of what they read (punycode, idna), and
    others that fail as no text does (undefined).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "http" and not all(map(_is_plain, scope["headers"])):
            refused = PlainTextResponse("a form is taken in UTF-8 only", 415)
            await refused(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_plain(header: tuple[bytes, bytes]) -> bool:
    if header[0].lower() != b"content-type":
        return True
    kind, options = parse_options_header(header[1])
    return kind not in _FORMS or options.get(b"charset", b"utf-8").lower() in _UTF_8


class PlainBodies:
    """Refuse with 415 a body that is compressed: nothing here opens it, nor should (RFC 9110)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        said = [
            value.strip().lower()
            for name, value in (scope["headers"] if scope["type"] == "http" else ())
            if name == b"content-encoding"
        ]
        if set(said) <= {b"", b"identity"}:
            await self._app(scope, receive, send)
            return
        wanted = {"Accept-Encoding": "identity"}
        refused = PlainTextResponse("send the body as it is, not compressed\n", 415, wanted)
        await refused(scope, receive, send)


class PlainCookies:
    """Leave a request the cookies whose values need no unquoting, as all of ours are.

    Python up to 3.11.9 unquotes in a time that grows with the square of the length
    (CVE-2024-7592): one header of 64 kB stopped the server for twenty seconds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and any(name == b"cookie" for name, _ in scope["headers"]):
            headers = [(name, _plain_cookies(name, said)) for name, said in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)


def _plain_cookies(name: bytes, said: bytes) -> bytes:
    if name != b"cookie":
        return said
    return b";".join(one for one in said.split(b";") if _PLAIN_COOKIE.fullmatch(one))


class BodyLimit:
    """Refuse with 413 as soon as a body is longer, whatever length it said that it has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what is read of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = _largest(scope["path"])
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > largest:
                # FastAPI passes this one on where it reads the body; any other it calls a 400.
                raise HTTPException(413, f"at most {largest:,} bytes are taken")
            return message

        await self._app(scope, counted, send)


def _largest(path: str) -> int:
    return next((most for one, most in _LARGER.items() if one.fullmatch(path)), LARGEST_BODY)


async def body_of(request: Request, largest: int) -> bytes:
    """The request's body, read no further than it may be long.

    Raises
    ------
    TooLargeError
        As soon as it is longer, whatever length it said that it has.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise TooLargeError(f"at most {largest:,} bytes are taken")
        parts.append(part)
    return b"".join(parts)
