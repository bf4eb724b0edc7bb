"""``onegrid up``, ``serve``, ``worker``: running the whole, or a part of it."""

import resource
import socket
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

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
from api.house import House, become
from api.parts import Parts, end_when_told, end_with_parent
from api.protocol import BoundedProtocol
from api.worker import read_uploads
from data.cluster import Cluster
from data.database import open_database
from data.errors import StateError, UnansweredError
from data.log import LOG
from data.log_setup import begin_log
from data.private_files import tighten
from data.sandbox import protection
from data.serving_role import is_protected
from data.settings import DEMO_COUNTY, Settings
from data.visible import visible

__all__ = ["register"]

# How long a server waits for its database when it starts, and how often it looks.
_PATIENCE_S, _AGAIN_S = 15.0, 0.5
_KEEP_ALIVE_S = 75
Port = Annotated[int | None, typer.Option(help="Port of the web server; ONEGRID_PORT by default.")]
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
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1)] = 1,
    insecure: Insecure = False,
) -> None:
    """Run the web server alone."""
    _serve(port, workers, insecure=insecure)


def web() -> None:
    """Run the web server as a part, which ends with its parent; its port is the first argument."""
    end_with_parent()
    begin_log("web")
    _serve(int(sys.argv[1]), 1, insecure="--insecure" in sys.argv)


def _serve(port: int | None, workers: int, *, insecure: bool) -> None:
    settings = Settings()
    require_public_address(settings, insecure=insecure)
    tighten(settings.home)
    chosen = settings.port if port is None else port
    _require_free(settings.host, chosen)
    _prepare_serving(settings)
    _take_all_descriptors()
    uvicorn.run(
        "api.cli.serving:application",
        factory=True,
        http=BoundedProtocol,
        host=settings.host,
        port=chosen,
        workers=workers,
        # Longer than any proxy keeps one for itself (nginx: 60 s): who sends on a connection that
        # is being closed is told nothing.
        timeout_keep_alive=_KEEP_ALIVE_S,
        # Its records go with the others.
        log_config=None,
        log_level="warning",
        access_log=False,
        # The application asks for its proxies itself (api.hosts).
        proxy_headers=False,
    )


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
            database.engine.dispose()
            _check_serving(settings)
        except (UnansweredError, OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _check_serving(settings: Settings) -> None:
    database = open_database(settings, pooled=False)
    database.require_direct()
    if not is_protected(database.engine):
        LOG.warning(
            "the role that serves may change the audit log: name the database's owner in "
            "ONEGRID_OWNER_URL and another role in ONEGRID_DATABASE_URL"
        )


def application() -> FastAPI:
    """The application of one process of the web server."""
    settings = Settings()
    begin_log("web", settings)
    return create_app(settings, open_database(settings))


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
            parts.watch()
    except KeyboardInterrupt:
        console.print("\nstopping")


def up(*, port: Port = None, insecure: Insecure = False) -> None:
    """Start everything: cluster, demonstration city if there is no data, web server, worker.

    A part that ends is started again. Ctrl-C stops everything that this command started.
    """
    settings = Settings()
    chosen = settings.port if port is None else port
    require_public_address(settings, insecure=insecure)
    tighten(settings.home)
    _require_free(settings.host, chosen)
    end_when_told()
    cluster, started = Cluster(settings.home, settings.cluster_port), False
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
    _say("starting the web server and the worker")
    web = ("api.cli.serving:web", str(chosen), *(["--insecure"] if insecure else []))
    become(
        House(
            commands={"the web server": web, **_WORKERS},
            address=f"http://{settings.host}:{chosen}/livez",
            told=_told(settings, chosen),
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
    _say("looking for data; an empty database gets the demonstration city on this machine")
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


def _told(settings: Settings, port: int) -> list[str]:
    here = f"http://{settings.host}:{port}"
    base = str(settings.public_url or here).rstrip("/")
    desks = (("planner", "规划 planner"), ("dispatch", "调度 dispatch"), ("card", "查询 card"))
    lines = [f"  {name:<14} {base}/{path}" for path, name in desks]
    if settings.county == DEMO_COUNTY and not settings.is_exposed:
        logins = f"{DEMO_LOGIN} (a gridworker: {DEMO_WORKER})"
        lines.append(f"  login {logins}, password {DEMO_PASSWORD} (fictional city)")
    if settings.is_exposed:
        lines.append(f"  the proxy of that address asks {here}")
        lines.append("  nobody has an account yet? onegrid user add LOGIN --role planner")
    return [*map(visible, lines), "  Ctrl-C stops everything"]
