"""Headers that every response carries; plain ASGI, since it stands before every answer."""

from http.cookies import SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maps.texts import LANGUAGES

__all__ = ["Headers"]

# Map pages carry folium's inline scripts; nothing may come from another host.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'"
)
_ALWAYS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_YEAR_S = 31_536_000


class Headers:
    """Content policy for all, and the reader's choice of language kept in a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        language = _chosen(scope["query_string"])

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_ALWAYS]
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
