"""Compressed answers: zstd, brotli or gzip, whichever the client likes best.

Not what depends on who is signed in: an answer that holds a secret of its reader beside words that
somebody else has chosen tells the secret by its length (BREACH; decision 25b). Nor streams of
events, which are such answers too.
"""

import asyncio
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from api.open_data import is_open
from api.session import COOKIE

__all__ = ["Compression", "preferred_encoding"]

# Of those that a client likes as well, the first: zstd takes a third of the time of brotli.
_ENCODINGS = ("zstd", "br", "gzip")
_ITEM = re.compile(r"\s*([\w*!#$%&'+.^`|~-]+)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.\d{0,3})?)\s*)?")
# More of a header than this nobody reads.
_LONGEST = 500
# A piece of a long body takes a few milliseconds; others have their turn before the next.
_PIECE = 128 * 1024
_SMALLEST = 500
_COOKIE = f"{COOKIE}=".encode()
_STATIC = "/static/"

for _kind in (
    "application/problem+json",
    "application/vcard+json",
    "application/vnd.oai.openapi+json",
    "application/lost+xml",
):
    add_compress_type(_kind)
remove_compress_type("text/event-stream")


def preferred_encoding(said: str) -> str:
    """What an ``Accept-Encoding`` likes best of what there is; ``""`` for the answer as it is.

    RFC 9110, section 12.5.3; what cannot be read likes nothing.

    >>> preferred_encoding("gzip, br;q=0.9"), preferred_encoding("*;q=0.5, br;q=0")
    ('gzip', 'zstd')
    """
    weights: dict[str, float] = {}
    for item in said[:_LONGEST].split(","):
        found = _ITEM.fullmatch(item)
        if found is not None:
            weights[found[1].lower()] = min(float(found[2] or 1), 1.0) if found[2] else 1.0
    rest = weights.get("*", 0.0)
    liked = {one: weights.get(one, rest) for one in _ENCODINGS}
    best = max(_ENCODINGS, key=lambda one: liked[one])
    is_liked = 0 < liked[best] >= weights.get("identity", 0.0)
    return best if is_liked else ""


class Compression:
    """Compresses what is long, can be made shorter and is nobody's secret.

    The compression itself is starlette-compress's; which encoding, for whom and in how large
    pieces is decided here. An ``ETag`` becomes weak: the bytes are others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = CompressMiddleware(
            _in_pieces(app), minimum_size=_SMALLEST, brotli_quality=4, zstd_level=3, gzip_level=4
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and compress what comes back where it may be."""
        if scope["type"] != "http" or not _may_be_compressed(scope):
            await self._app(scope, receive, send)
            return
        said = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        encoding = preferred_encoding(said.decode("latin-1"))
        headers = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        headers.append((b"accept-encoding", encoding.encode() or b"identity"))

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                _say_which(MutableHeaders(scope=message))
            await send(message)

        await self._compressed({**scope, "headers": headers}, receive, tagged)


def _may_be_compressed(scope: Scope) -> bool:
    path = scope["path"]
    if is_open(path) or path.startswith(_STATIC):
        return True
    return not any(name == b"cookie" and _COOKIE in said for name, said in scope["headers"])


def _say_which(headers: MutableHeaders) -> None:
    """A cache must know that another client gets other bytes, also where these are none."""
    if "accept-encoding" not in headers.get("vary", "").lower():
        headers.add_vary_header("Accept-Encoding")
    tag = headers.get("etag", "")
    if "content-encoding" in headers and tag.startswith('"'):
        headers["etag"] = f"W/{tag}"


def _in_pieces(app: ASGIApp) -> ASGIApp:
    """Hand a long body on in pieces, between which other requests have their turn."""

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        async def pieces(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or len(body) <= _PIECE:
                await send(message)
                return
            starts = range(0, len(body), _PIECE)
            for start in starts:
                goes_on = message.get("more_body", False) or start != starts[-1]
                piece = body[start : start + _PIECE]
                await send({"type": message["type"], "body": piece, "more_body": goes_on})
                await asyncio.sleep(0)

        await app(scope, receive, pieces)

    return cut
