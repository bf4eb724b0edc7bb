"""Under which address the server is known: whom it believes about it, and whom it answers.

`Host` decides what links and cookies belong to: only the public address and names of this machine
are answered. `X-Forwarded-For` and `-Proto` are believed from named proxies alone.
"""

import re
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from data.settings import Settings, is_local_name

__all__ = ["Hosts", "install_hosts", "public_url"]

# A name or address and perhaps a port (RFC 9110, section 7.2): no user, path or question.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# A year, as browsers ask; a county's other servers under the same domain are not spoken for.
_HSTS = (b"strict-transport-security", b"max-age=31536000")


def install_hosts(app: FastAPI, settings: Settings) -> None:
    """Check whom a request is for; the named proxies are believed first."""
    app.add_middleware(Hosts, settings=settings)
    if settings.proxy_networks:
        # uvicorn's own default believes 127.0.0.1; `serve` switches it off. From the right of
        # X-Forwarded-For, the first address that is no proxy's is the client's.
        networks = [str(network) for network in settings.proxy_networks]
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=networks)


def public_url(request: Request) -> str:
    """Where people reach the server, without a slash at its end."""
    said: str = request.app.state.settings.public_url
    return (said or str(request.base_url)).rstrip("/")


class Hosts:
    """Answers 400 to a request for another host; tells browsers to stay with HTTPS."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._public = urlsplit(settings.public_url).hostname
        self._is_https = settings.is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on where it is for this server."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if not self._is_ours(scope):
            answer = PlainTextResponse("this server has another address\n", 400)
            await answer(scope, receive, send)
            return

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _HSTS]
            await send(message)

        await self._app(scope, receive, with_header if self._is_https else send)

    def _is_ours(self, scope: Scope) -> bool:
        said = [value for name, value in scope["headers"] if name == b"host"]
        if len(said) != 1:
            return False
        if _HOST.fullmatch(said[0]) is None:
            return False
        try:
            parts = urlsplit(f"//{said[0].decode('ascii')}")
            host, _ = parts.hostname, parts.port
        except ValueError:
            return False
        return host is not None and (host == self._public or is_local_name(host))
