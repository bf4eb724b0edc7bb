"""The web application: one router for each audience, assets from this host only."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

import maps
from api import dispatcher, errors, login, planner, public
from api.pages import language_of
from api.session import Engines
from data.database import Database
from data.settings import Settings

__all__ = ["create_app"]

# Map pages carry folium's inline scripts; nothing may come from another host.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'"
)


def create_app(settings: Settings, database: Database) -> FastAPI:
    """Make the application."""
    app = FastAPI(
        title="OneGrid 一张网",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.settings, app.state.database = settings, database
    app.state.engines = Engines(settings.networks_dir)
    errors.install(app)
    app.mount("/static", StaticFiles(directory=Path(maps.__file__).parent / "static"))
    for router in (login.router, planner.router, dispatcher.router, public.router):
        app.include_router(router)
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.middleware("http")(_headers)
    return app


def _home() -> RedirectResponse:
    return RedirectResponse("/card")


def _docs(request: Request) -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=request.app.title,
        swagger_js_url="/static/vendor/swagger-ui-dist/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui-dist/swagger-ui.css",
        swagger_favicon_url="/static/vendor/swagger-ui-dist/favicon-32x32.png",
    )


async def _headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.query_params.get("lang"):
        response.set_cookie("lang", language_of(request), samesite="lax", max_age=31_536_000)
    return response
