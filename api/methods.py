"""HEAD and OPTIONS wherever something answers, in one place for routes, mounts and standards."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Methods", "methods_of"]

_ASKED = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What files answer, whichever method Starlette is asked about.
_OF_FILES = frozenset({"GET"})
_DISCONNECT: Message = {"type": "http.disconnect"}


class _EnoughError(Exception):
    """Whoever asks for the header has it: the rest of a long body is not made."""


def methods_of(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """The methods that an address answers, HEAD and OPTIONS with them; none where nothing does."""
    found = {method for method in _ASKED if _answers(routes, {**scope, "method": method})}
    if "GET" in found:
        found.add("HEAD")
    return sorted(found | {"OPTIONS"}) if found else []


def _answers(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    for route in routes:
        match, _ = route.matches(scope)
        if match == Match.FULL:
            return not isinstance(route, Mount) or scope["method"] in _OF_FILES
    return False


class Methods:
    """HEAD is answered as GET without its body, OPTIONS with the methods and nothing else.

    Parameters
    ----------
    routes : sequence of BaseRoute
        The application's; those that are added later count too.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS; pass on what else is asked, HEAD as GET."""
        if scope["type"] != "http" or scope["method"] not in {"HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await _header_alone(self._app, scope, receive, send)
        elif allowed := methods_of(self._routes, scope):
            headers = {"Allow": ", ".join(allowed)}
            await Response(status_code=204, headers=headers)(scope, receive, send)
        else:
            await PlainTextResponse("there is nothing here\n", 404)(scope, receive, send)


async def _header_alone(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Pass a request on as GET, and end it as soon as the header is there."""
    is_told = False

    async def heard() -> Message:
        return _DISCONNECT if is_told else await receive()

    async def header(message: Message) -> None:
        nonlocal is_told
        if message["type"] == "http.response.start" and not is_told:
            # A stream waits for the client to leave: for it, the client has left.
            is_told = True
            # What is compressed as it goes has no length, and this is no answer to reckon it by.
            del MutableHeaders(scope=message)["transfer-encoding"]
            await send(message)
            await send({"type": "http.response.body", "body": b""})
        elif message.get("more_body"):
            raise _EnoughError

    try:
        await app({**scope, "method": "GET"}, heard, header)
    except* _EnoughError:
        pass
