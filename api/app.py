"""The web application: one router for each audience, assets from this host only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route
from starlette.types import ASGIApp

import maps
from api import (
    account,
    addresses,
    assigning,
    card,
    card_files,
    closures,
    console,
    dispatching,
    drafts,
    errors,
    health,
    history,
    incidents,
    intake,
    ledger,
    login,
    lost,
    mapit,
    metrics,
    notices,
    ogc,
    open311,
    photos,
    planner,
    positions,
    public,
    report,
    reports,
    tiles,
    who,
    work,
    workbench,
)
from api.admission import Admission
from api.compression import Compression
from api.converters import Converters
from api.engines import Engines
from api.feed import Feed
from api.guard import Guard
from api.headers import Headers
from api.health import Health, Part
from api.hosts import install_hosts
from api.limits import BodyLimit, PlainBodies, PlainCookies, PlainForms, PlainQuery
from api.measured import Measured
from api.methods import Methods
from api.metric_gathering import Gatherer
from api.metric_state import PoolState, ThreadState
from api.metric_web import Turns, WebState
from api.open_data import OpenData
from api.pages import render
from api.password_pool import PasswordPool
from api.remembered import Absence
from api.requests import Requests, Taken
from api.rights import Rights
from api.sign_in_guard import SignInGuard
from api.uploads import UnderWay
from api.watching import Watching
from data.audit_heads import HeadKeeper
from data.audit_reads import ReadLog
from data.background import BackgroundState
from data.connections import budget_of
from data.database import Database
from data.log import LOG
from data.settings import Settings
from grids.book_making import Apart, by_program
from grids.drafting import Workbench
from maps.tiles import TileCache

__all__ = ["create_app"]

# How long a process waits for its first plan and book: a book may have to be made, and a process is
# alive without a database.
_SETTLING_S = 20.0


def create_app(settings: Settings, database: Database, apart: Apart = by_program) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    apart : callable, optional
        How what needs much memory is done by another process.
    """
    app = _Application(
        title="OneGrid 一张网",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        lifespan=_listening,
    )
    app.state.settings, app.state.database = settings, database
    app.state.admission = Admission(budget_of(settings).kept)
    # Devices tell much and wait for nobody: a position behind a crowd of consoles is an old one.
    app.state.device_admission = Admission(2)
    app.state.converters = Converters()
    # Strangers have turns of their own: however many ask, staff wait for staff.
    app.state.public_converters = Converters(1)
    # Plans take long: nobody waits behind one for a photo or a paper.
    app.state.plan_converters = Converters(1)
    app.state.under_way = UnderWay()
    app.state.engines = Engines(settings, database, apart)
    app.state.workbench = Workbench(settings.county)
    app.state.absence = Absence()
    app.state.watching = Watching(settings.county, database)
    app.state.rights = Rights(settings.county, database)
    app.state.feed = Feed(settings.county, database)
    app.state.tiles = TileCache()
    app.state.guard = Guard(settings, database)
    app.state.sign_ins = SignInGuard(settings, database, app.state.guard)
    app.state.passwords = PasswordPool()
    keeper = HeadKeeper(settings)
    app.state.read_log = ReadLog(database, settings.county, settings.home, keeper)
    app.state.health = Health(
        database, settings.county, partial(_parts, app), partial(_states, app)
    )
    app.state.measured = _measured(app)
    errors.install(app)
    # Programs ask these most. FastAPI's way to the same functions takes longer than their answers.
    app.router.routes.insert(0, Route("/api/v1/who", who.who))
    app.router.routes.insert(0, Route("/card", card.look_up, methods=["POST"]))
    app.router.routes.insert(0, Route("/report/begin", report.begin, methods=["POST"]))
    app.router.routes.insert(0, Route("/card/file", card_files.card_file, methods=["POST"]))
    app.router.routes.insert(0, Route("/api/v1/positions", positions.take, methods=["GET", "POST"]))
    for part in _PARTS:
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(maps.__file__).parent / "static"))
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    routes = app.router.routes
    app.add_middleware(Taken)
    app.add_middleware(BodyLimit)
    app.add_middleware(PlainBodies)
    app.add_middleware(PlainForms)
    app.add_middleware(PlainQuery)
    app.add_middleware(PlainCookies)
    app.add_middleware(Methods, routes=routes)
    if settings.cors_origins:
        app.add_middleware(OpenData, routes=routes, origins=settings.origins)
    app.add_middleware(Compression)
    install_hosts(app, settings)
    return app


class _Application(FastAPI):
    """FastAPI, with the headers around all of it: also around what answers unforeseen errors."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put these before Starlette's own handler of errors, which is the outermost."""
        return Requests(Headers(super().build_middleware_stack()), self.state.settings)


_PARTS = (
    health,
    metrics,
    # Whom many ask who should not: it is found first.
    login,
    who,
    addresses,
    card,
    card_files,
    public,
    assigning,
    console,
    ledger,
    planner,
    work,
    workbench,
    reports,
    history,
    drafts,
    photos,
    # Before the transitions, whose names any last part of a path fits.
    dispatching,
    incidents,
    notices,
    positions,
    open311,
    closures,
    report,
    intake,
    tiles,
    mapit,
    lost,
    ogc,
    account,
)


def _parts(app: FastAPI) -> list[Part]:
    """What answers need in this process, as it is now."""
    heard = app.state.feed.listener.is_heard and app.state.watching.listener.is_heard
    said = "" if heard else "changes are not heard of: consoles are told once they are"
    return [*app.state.engines.parts(), Part("feed", heard, False, said)]


def _states(app: FastAPI) -> list[BackgroundState]:
    """How the background threads of this process are."""
    state = app.state
    threads = [
        *state.engines.threads,
        *state.guard.threads,
        *state.sign_ins.threads,
        state.rights.asker,
        state.read_log.writer,
        state.watching.listener.thread,
        state.feed.listener.thread,
        state.health.looker,
        *state.measured.threads,
    ]
    return [one.state for one in threads]


def _measured(app: FastAPI) -> Measured:
    state = app.state
    gatherer = Gatherer(state.database, state.settings.county, state.settings.home)
    collectors = (
        ThreadState(partial(_states, app)),
        PoolState(state.database.engine),
        WebState(partial(_turns, app), partial(_listeners, app), state.health.parts),
        gatherer,
    )
    return Measured(state.settings, "web", collectors, gatherer.looker)


def _turns(app: FastAPI) -> dict[str, Turns]:
    """All kinds of turns that this process gives."""
    state = app.state
    kinds = {
        "database": state.admission,
        "devices": state.device_admission,
        "converters": state.converters,
        "public converters": state.public_converters,
        "plan converters": state.plan_converters,
        "passwords": state.passwords,
    }
    return {
        name: Turns(one.most, one.in_use, one.waiting, one.refused) for name, one in kinds.items()
    }


def _listeners(app: FastAPI) -> dict[str, int]:
    """How many listen to each stream of this process."""
    return {"feed": app.state.feed.listeners, "draft": app.state.watching.listeners}


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[None]:
    app.state.engines.start()
    app.state.guard.start()
    app.state.rights.start()
    app.state.sign_ins.start()
    app.state.read_log.start()
    app.state.health.start()
    app.state.measured.start()
    LOG.info("the web server is up", **app.state.measured.process)
    listeners = (app.state.watching.listener, app.state.feed.listener)
    for one in listeners:
        one.start()
    # Until then other processes take what is asked here.
    await run_in_threadpool(app.state.engines.settle, _SETTLING_S)
    yield
    for one in listeners:
        one.stop()
    app.state.measured.stop()
    app.state.health.stop()
    app.state.rights.stop()
    app.state.read_log.stop()
    app.state.passwords.stop()
    app.state.sign_ins.stop()
    app.state.guard.stop()
    app.state.engines.stop()
    LOG.info("the web server has stopped", **app.state.measured.process)


def _home() -> RedirectResponse:
    return RedirectResponse("/card")


def _docs(request: Request) -> HTMLResponse:
    # FastAPI's own page starts Swagger UI from an inline script.
    return HTMLResponse(render(request, "docs.html", title=request.app.title))
