"""``onegrid db``: the private cluster, backups, restores."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import AsJson, console, emit, ready_database
from data.backup import backup as write_backup
from data.backup import restore as read_backup
from data.cluster import Cluster
from data.database import open_database
from data.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The private PostGIS cluster; backup and restore.")


def _cluster() -> Cluster:
    settings = Settings()
    return Cluster(settings.home, settings.cluster_port)


@app.command()
def start() -> None:
    """Start the private cluster, making it first where it is absent."""
    started = _cluster().ensure_running()
    console.print("started" if started else "already running")


@app.command()
def stop() -> None:
    """Stop the private cluster."""
    console.print("stopped" if _cluster().stop() else "was not running")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say whether the cluster runs; exit code 1 where it does not."""
    cluster = _cluster()
    running = cluster.is_running()
    facts = {"running": running, "data": str(cluster.data_dir), "url": cluster.url}
    emit(facts, f"{'running' if running else 'stopped'}: {cluster.data_dir}", as_json=as_json)
    raise typer.Exit(0 if running else 1)


@app.command()
def url() -> None:
    """Print the database's address, for psql and others."""
    typer.echo(open_database(Settings(), pooled=False, owner=True).conninfo)


@app.command()
def migrate() -> None:
    """Bring extensions, schema and presets up to date."""
    ready_database(Settings())
    console.print("the schema is up to date")


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write (pg_dump custom).")]) -> None:
    """Back the whole database up to one file."""
    write_backup(open_database(Settings(), pooled=False, owner=True), target)
    console.print(f"written: {target}")


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="A file that backup wrote.")]) -> None:
    """Replace the database by a backup, all or nothing."""
    read_backup(open_database(Settings(), pooled=False, owner=True), source)
    console.print(f"restored from {source}")
