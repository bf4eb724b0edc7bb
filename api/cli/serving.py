"""``onegrid up``, ``serve``, ``worker``: running the whole, or a part of it."""

import faulthandler
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.cli.context import console, ready_database
from api.clock import keep_time
from api.demo import DEMO_LOGIN, DEMO_PASSWORD, DEMO_WORKER, furnish
from api.demo_month import play_month
from api.exposure import require_no_demo, require_public_address
from api.forking import Beat, serve_forked
from api.house import House, become
from api.parts import Parts, end_when_told
from api.preload import load_all
from api.protocol import BoundedProtocol
from api.worker import read_uploads
from data.connections import require_room
from data.database import Database, open_database, private_cluster
from data.errands import Errands
from data.errors import StateError, UnansweredError
from data.log import LOG
from data.log_setup import begin_log
from data.memory import bound_arenas
from data.private_files import tighten
from data.retention.logs import may_set_periods, periods_of, set_periods
from data.retention.rules import AUDIT_LOG, kept_elsewhere
from data.sandbox import protection
from data.serving_role import is_protected
from data.settings import DEMO_COUNTY, Settings
from data.visible import visible
from grids.book_making import Apart, by_program, make_asked

__all__ = ["register"]

# How long a server waits for its database when it starts, and how often it looks.
_PATIENCE_S, _AGAIN_S = 15.0, 0.5
_KEEP_ALIVE_S = 75
# Connections that wait to be taken, and how long requests go on when a process is told to end.
_BACKLOG, _GRACE_S = 2048, 20
# How long a request waits for what another transaction holds.
_MOST_LOCKED_S = 20.0
# What web processes have done by others.
_BOOK = "address book"
Port = Annotated[int | None, typer.Option(help="Port of the web server; ONEGRID_PORT by default.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes that answer; ONEGRID_WORKERS by default.", min=1, max=64),
]
# What the worker consists of.
_WORKERS = {
    "the clock": ("api.clock:clock",),
    "the worker of files": ("api.worker:uploads",),
}
_ALONE = {"clock": keep_time, "uploads": read_uploads}
Insecure = Annotated[
    bool, typer.Option(help="Listen beyond this machine though the public address is plain HTTP.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, serve, worker):
        app.command()(command)


def serve(
    *,
    port: Port = None,
    workers: Workers = None,
    insecure: Insecure = False,
) -> None:
    """Run the web server alone."""
    _serve(_chosen(port, workers), insecure=insecure)


def web() -> None:
    """Run the web server as a part, which ends with its parent.

    Its port and the number of its processes are the first arguments.
    """
    port, workers = map(int, sys.argv[1:3])
    ends = [sys.stdin.fileno()]
    _serve(_chosen(port, workers), insecure="--insecure" in sys.argv, ends=ends)


def _chosen(port: int | None, workers: int | None) -> Settings:
    """The settings, with what the command line says otherwise."""
    said: dict[str, Any] = {"port": port, "workers": workers}
    return Settings(**{name: value for name, value in said.items() if value is not None})


def _serve(settings: Settings, *, insecure: bool, ends: Sequence[int] = ()) -> None:
    begin_log("web", settings)
    bound_arenas()
    require_public_address(settings, insecure=insecure)
    tighten(settings.home)
    _require_free(settings.host, settings.port)
    _prepare_serving(settings)
    _take_all_descriptors()
    load_all()
    with _listening(settings) as listening, Errands({_BOOK: make_asked}) as errands:
        answer = partial(_answer, settings, partial(errands.run, _BOOK))
        serve_forked(settings.workers, listening, answer, errands=errands, ends=ends)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = settings.host, settings.port
    with socket.create_server(address, family=family, backlog=_BACKLOG) as listening:
        yield listening


def _answer(settings: Settings, apart: Apart, listening: socket.socket, beat: Beat) -> None:
    """Answer in one process until it is told to end."""
    faulthandler.enable()
    _Server(server_config(settings, apart), beat).run([listening])


def server_config(settings: Settings, apart: Apart = by_program) -> uvicorn.Config:
    """How one process answers."""
    return uvicorn.Config(
        partial(_application, settings, apart),
        factory=True,
        http=BoundedProtocol,
        # Longer than any proxy keeps one for itself (nginx: 60 s): who sends on a connection that
        # is being closed is told nothing.
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        # Its records go with the others.
        log_config=None,
        log_level="warning",
        access_log=False,
        # The application asks for its proxies itself (api.hosts).
        proxy_headers=False,
    )


class _Server(uvicorn.Server):
    """Says that it is well; uvicorn's own call for that goes by a clock that may be set."""

    def __init__(self, config: uvicorn.Config, beat: Beat) -> None:
        super().__init__(config)
        self._beat = beat

    async def on_tick(self, counter: int) -> bool:
        self._beat()
        ends = await super().on_tick(counter)
        if ends:
            LOG.info("the web server is told to end", pid=os.getpid())
        return ends


def _application(settings: Settings, apart: Apart) -> FastAPI:
    database = open_database(settings)
    database.limit_locks(_MOST_LOCKED_S)
    return create_app(settings, database, apart)


def _take_all_descriptors() -> None:
    """Each connection takes one: use what the machine gives, not the 1,024 of a shell."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _prepare_serving(settings: Settings) -> None:
    """Bring the schema up to date before the first process answers.

    A database that is only just starting, as after a failure of power, is waited for.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            database = ready_database(settings)
            require_no_demo(settings, database)
            _keep_periods(settings, database)
            database.engine.dispose()
            _check_serving(settings)
        except (UnansweredError, OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _keep_periods(settings: Settings, database: Database) -> None:
    """Tell the database how long the audit logs are kept, as its owner; nobody else may."""
    days = settings.retention_days
    with database.session() as session:
        if may_set_periods(session):
            set_periods(session, settings.county, days)
        held = periods_of(session, settings.county)
    if not held.items() <= days.items():
        LOG.warning(
            "the audit logs are kept as the database's owner has set, not as the settings say: "
            "run onegrid retention apply where ONEGRID_OWNER_URL is known",
            **held,
        )
    if kept_elsewhere(held):
        LOG.warning(
            "the audit log is kept for less than three years: the records that PIPL art. 56 asks "
            "for must be kept elsewhere",
            days=held[AUDIT_LOG],
        )


def _check_serving(settings: Settings) -> None:
    database = open_database(settings, pooled=False)
    database.require_direct()
    require_room(settings, database.engine)
    if not is_protected(database.engine):
        LOG.warning(
            "the role that serves may change the audit log: name the database's owner in "
            "ONEGRID_OWNER_URL and another role in ONEGRID_DATABASE_URL"
        )


def worker(
    *,
    part: Annotated[
        str, typer.Option(help=f"Only one of its parts, in this process: {' or '.join(_ALONE)}.")
    ] = "",
) -> None:
    """Run the worker alone: a process for what time brings, and one for files that were sent."""
    if part:
        if part not in _ALONE:
            known = ", ".join(_ALONE)
            raise typer.BadParameter(f"{part!r} is none of {known}", param_hint="--part")
        _ALONE[part]()
        return
    settings = Settings()
    begin_log("house", settings)
    tighten(settings.home)
    end_when_told()
    try:
        with Parts(_WORKERS, LOG.warning) as parts:
            try:
                parts.watch()
            except KeyboardInterrupt:
                LOG.info("the worker is told to end", pid=os.getpid())
                raise
    except KeyboardInterrupt:
        console.print("\nstopping")
    LOG.info("the worker has stopped", pid=os.getpid())


def up(*, port: Port = None, workers: Workers = None, insecure: Insecure = False) -> None:
    """Start everything: cluster, demonstration city if there is no data, web server, worker.

    A part that ends is started again. Ctrl-C stops everything that this command started; a
    cluster that it found running is left running, though it may have had to start it again.
    """
    settings = _chosen(port, workers)
    require_public_address(settings, insecure=insecure)
    tighten(settings.home)
    _require_free(settings.host, settings.port)
    end_when_told()
    cluster, started = private_cluster(settings), False
    is_private = settings.database_url is None
    try:
        if is_private:
            _say("starting the private PostGIS cluster")
            started = cluster.ensure_running()
        _prepare(settings)
    except BaseException as error:
        if started:
            cluster.stop()
        if isinstance(error, KeyboardInterrupt):
            console.print("\nstopping")
            return
        raise
    _say("starting the web server and the worker: half a minute until they answer")
    numbers = str(settings.port), str(settings.workers)
    web = ("api.cli.serving:web", *numbers, *(["--insecure"] if insecure else []))
    become(
        House(
            commands={"the web server": web, **_WORKERS},
            address=f"http://{settings.host}:{settings.port}/livez",
            ready=f"http://{settings.host}:{settings.port}/readyz",
            told=_told(settings),
            cluster=str(cluster.data_dir) if is_private else "",
            is_ours=started,
            log_format=settings.log_format,
            log_file=settings.log_file,
        )
    )


def _prepare(settings: Settings) -> None:
    _say(protection().summary())
    _say("bringing the schema up to date")
    database = ready_database(settings)
    require_no_demo(settings, database)
    _say(
        "looking for data; an empty database gets the demonstration city on this machine (a minute "
        "or two)"
    )
    if not settings.is_exposed and furnish(database, settings.home):
        _say("playing a month of work in it")
        with database.session() as session:
            play_month(session, seed=1, end=datetime.now(UTC))


def _say(text: str) -> None:
    console.entry(f"▸ {text}", style="bold")


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StateError(
                f"port {port} on {host} is taken: stop what listens there or set ONEGRID_PORT"
            ) from error


def _told(settings: Settings) -> list[str]:
    here = f"http://{settings.host}:{settings.port}"
    base = str(settings.public_url or here).rstrip("/")
    desks = (("planner", "规划 planner"), ("dispatch", "调度 dispatch"), ("card", "查询 card"))
    lines = [f"  {name:<14} {base}/{path}" for path, name in desks]
    if settings.county == DEMO_COUNTY and not settings.is_exposed:
        logins = f"{DEMO_LOGIN} (a gridworker: {DEMO_WORKER})"
        lines.append(f"  login {logins}, password {DEMO_PASSWORD} (fictional city)")
    if settings.is_exposed:
        lines.append(f"  the proxy of that address asks {here}")
        lines.append("  nobody has an account yet? onegrid user add LOGIN --role planner")
    lines.append("  addresses and plan are being loaded: a line says when that is done")
    return [*map(visible, lines), "  Ctrl-C stops everything"]
