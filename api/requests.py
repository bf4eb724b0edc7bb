"""Each request has a number, by which its lines of the log, its answer and its jobs know it.

It stands before every other step. A proxy that is believed may have given the number already, in
`X-Request-ID`; anybody else's is not taken over.
"""

import ipaddress
import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.measures import TAKEN, note_request
from data.settings import Network, Settings

__all__ = ["HEADER", "Requests", "Taken"]

HEADER = b"x-request-id"
# As nginx (`$request_id`) and HAProxy write it: 32 hexadecimal digits, perhaps with the hyphens of
# a UUID. Whatever else a header may hold does not come into the log.
_NUMBER = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Requests:
    """Gives each request its number, and counts it when it has ended."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._proxies = app, settings.proxy_networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its number with the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = self._number_of(scope)
        scope[TAKEN] = {}
        structlog.contextvars.bind_contextvars(request=number)
        begun_s, status = time.perf_counter(), 500

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, number.encode())]
            await send(message)

        try:
            await self._app(scope, receive, numbered)
        finally:
            note_request(scope, status, time.perf_counter() - begun_s)

    def _number_of(self, scope: Scope) -> str:
        if self._proxies and _is_within(scope.get("client"), self._proxies):
            told = [value for name, value in scope["headers"] if name == HEADER]
            if len(told) == 1 and _NUMBER.fullmatch(told[0]):
                return bytes(told[0]).decode("ascii")
        return uuid.uuid4().hex


class Taken:
    """Tells `Requests` which route took a request; it stands next to the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self._app(scope, receive, send)
        finally:
            if TAKEN in scope:
                scope[TAKEN]["route"] = scope.get("route")


def _is_within(client: tuple[str, int] | None, networks: list[Network]) -> bool:
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return False
    return any(address in network for network in networks)
