"""Headers that every response carries; plain ASGI, since it stands before every answer."""

from http.cookies import SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maps.content_policy import PAGE_POLICY
from maps.texts import LANGUAGES

__all__ = ["Headers"]

_POLICY = (b"content-security-policy", PAGE_POLICY.encode())
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
# What an answer does not say may be kept, no browser and no cache between keeps.
_NOT_KEPT = (b"cache-control", b"no-store")
_KEPT = "/static/"
_YEAR_S = 31_536_000


class Headers:
    """Content policy and no caching for all, and the choice of language kept in a cookie.

    It stands before the handler of unforeseen errors too; a map brings a policy of its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        language = _chosen(scope["query_string"])
        kept = scope["path"].startswith(_KEPT)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                own = {name.lower() for name, _ in headers}
                defaults = (_POLICY,) if kept else (_POLICY, _NOT_KEPT)
                more = (one for one in defaults if one[0] not in own)
                message["headers"] = [*headers, *_ALWAYS, *more]
                if language:
                    message["headers"].append((b"set-cookie", _cookie(language).encode()))
            await send(message)

        await self._app(scope, receive, with_headers)


def _chosen(query: bytes) -> str:
    """The language that the address asks for, if any."""
    for language in LANGUAGES:
        if f"lang={language}".encode() in query.split(b"&"):
            return language
    return ""


def _cookie(language: str) -> str:
    cookie: SimpleCookie = SimpleCookie({"lang": language})
    cookie["lang"].update({"path": "/", "samesite": "lax", "max-age": str(_YEAR_S)})
    return cookie["lang"].OutputString()
