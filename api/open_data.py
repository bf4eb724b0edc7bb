"""Data that other sites' pages may read: which addresses, and from where (CORS).

What names nobody may be opened to everybody (``*``). What names people on duty is counted for
whoever asks, and a page can make its visitors ask: it is opened to sites that are named alone.
Never is an answer given that depends on who is signed in: no credentials are allowed.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.methods import methods_of

__all__ = ["OpenData", "is_open"]

_NAMES_NOBODY = (
    *("/api/ogc", "/tiles/base", "/tiles/plan"),
    *("/point", "/open311", "/card/map"),
)
_NAMES_PEOPLE = ("/card", "/api/v1/card", "/api/v1/who", "/lost", "/d")
_METHODS = ("GET", "HEAD", "POST")
# What a page may send beyond what every form may, and read beyond what every page may.
_SENT = ("If-None-Match", "Idempotency-Key", "X-Api-Key")
_READ = ("ETag", "Retry-After", "X-Request-ID")
_EVERYBODY = "*"


def is_open(path: str) -> bool:
    """Whether an address tells everybody the same, and nothing of anybody."""
    return _is_under(path, _NAMES_NOBODY)


def _is_under(path: str, folders: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in folders)


class OpenData:
    """Tells browsers which other sites' pages may read what is public.

    Parameters
    ----------
    routes : sequence of BaseRoute
        The application's.
    origins : sequence of str
        Sites; ``*`` among them opens to all what names nobody.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], origins: Sequence[str]) -> None:
        self._app, self._routes = app, routes
        named = [one for one in origins if one != _EVERYBODY]
        self._open = _cors(app, [_EVERYBODY] if _EVERYBODY in origins else named)
        self._named = _cors(app, named) if named else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and say who may read the answer."""
        chosen = self._app
        # A browser asks first whether it may ask: of what is not there, it may not.
        if scope["type"] == "http" and self._is_there(scope):
            if is_open(scope["path"]):
                chosen = self._open
            elif _is_under(scope["path"], _NAMES_PEOPLE):
                chosen = self._named
        await chosen(scope, receive, send)

    def _is_there(self, scope: Scope) -> bool:
        if scope["method"] != "OPTIONS":
            return True
        asked = [v for k, v in scope["headers"] if k == b"access-control-request-method"]
        allowed = methods_of(self._routes, scope)
        return bool(allowed) and all(one.decode("latin-1") in allowed for one in asked)


def _cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=_SENT,
        allow_credentials=False,
        expose_headers=_READ,
    )
