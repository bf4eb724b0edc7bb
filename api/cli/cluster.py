"""``onegrid db``: the private cluster, backups, restores."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import AsJson, console, emit, ready_database
from data.audit import audit
from data.backup import LEFT_OUT, require_idle
from data.backup import backup as write_backup
from data.backup import restore as read_backup
from data.cluster import Cluster
from data.database import open_database, private_cluster
from data.database_url import uri_of
from data.serving_role import close_functions
from data.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The private PostGIS cluster; backup and restore.")


def _cluster() -> Cluster:
    settings = Settings()
    return private_cluster(settings)


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
    typer.echo(uri_of(open_database(Settings(), pooled=False, owner=True).engine))


@app.command()
def migrate() -> None:
    """Bring extensions, schema and presets up to date."""
    ready_database(Settings())
    console.print("the schema is up to date")


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write (tar).")]) -> None:
    """Back database, road networks and files of jobs up to one file; says what is left out."""
    settings = Settings()
    database = open_database(settings, pooled=False, owner=True)
    write_backup(database, target, settings.home)
    with database.session() as session:
        audit(session, settings.county, "command line", "db.backup", target.name)
    console.entry(f"written: {target}")
    for name, reason in LEFT_OUT.items():
        console.entry(f"  left out: {name} ({reason})")


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="A file that backup wrote.")]) -> None:
    """Replace database and state by a backup's; stop server and worker first."""
    settings = Settings()
    database = open_database(settings, pooled=False, owner=True)
    serving = open_database(settings, pooled=False).engine.url.username
    require_idle(database, {str(database.engine.url.username), str(serving)})
    restored = read_backup(database, source, settings.home)
    # It may be of an earlier version; and nobody has been given a right yet, nor been refused one.
    ready = ready_database(settings)
    close_functions(ready.engine)
    with ready.session() as session:
        audit(session, settings.county, "command line", "db.restore", source.name)
    console.entry(f"restored from {source}: {', '.join(restored)}")
