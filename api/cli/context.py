"""What every command shares: settings, the database made ready, printing for people or programs."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from api.terminal import Terminal
from data import migrate
from data.database import Database, open_database
from data.importing.addresses import complete_all_addresses
from data.importing.columns import LOCAL_ZONE
from data.presets import seed_presets
from data.serving_role import grant_serving, may_serve, serving_role_of
from data.settings import Settings
from data.visible import visible_json

__all__ = [
    "AsJson",
    "County",
    "app",
    "console",
    "county_or_default",
    "emit",
    "ready_database",
    "told_time",
]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="OneGrid 一张网: grid management and spatial dispatch. Start with `onegrid up`.",
)
console = Terminal()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
County = Annotated[
    str | None, typer.Option(help="Six-digit county code; ONEGRID_COUNTY by default.")
]


def county_or_default(settings: Settings, county: str | None) -> str:
    """The county that the option names, else the settings' one."""
    if county is None:
        return settings.county
    if len(county) != 6 or not county.isdigit():
        raise typer.BadParameter(f"{county!r} is not six digits", param_hint="--county")
    return county


def ready_database(settings: Settings, *, pooled: bool = False) -> Database:
    """Open the database as its owner, with extensions, newest schema and presets."""
    database = open_database(settings, pooled=pooled, owner=True)
    database.prepare()
    role = serving_role_of(settings)
    if database.is_empty() or migrate.current_revision(database.engine) != migrate.head_revision():
        migrate.upgrade(database.engine)
        with database.session() as session:
            seed_presets(session)
            complete_all_addresses(session)
        if role is not None:
            grant_serving(database.engine, role)
    elif role is not None and not may_serve(database.engine, role):
        grant_serving(database.engine, role)
    return database


def emit(value: Any, lines: str | Iterable[str], *, as_json: bool) -> None:
    """Print a result as JSON, or as lines of text: each one entry, whatever is in it."""
    if as_json:
        typer.echo(visible_json(json.dumps(value, ensure_ascii=False, default=_plain)))
        return
    for line in (lines,) if isinstance(lines, str) else lines:
        console.entry(line)


def told_time(at: datetime) -> str:
    """A moment by the county's clock, which says by how much it is ahead of UTC."""
    return at.astimezone(LOCAL_ZONE).isoformat(sep=" ", timespec="seconds")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
