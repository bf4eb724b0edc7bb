"""The ``onegrid`` command line.

Exit codes: 0 done; 1 refused or failed, with the reason; 2 wrong usage, or something that
the machine lacks (PostgreSQL, PostGIS, disk), or that is not safe to listen with; 3 done, but rows
were refused.
"""

import os
import sys

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from api.cli import (
    answers,
    cards,
    cluster,
    imports,
    incidents,
    plans,
    retention,
    roads,
    serving,
    staff,
    users,
    work,
)
from api.cli.context import app
from api.terminal import Terminal
from data.errors import ClusterError, DatabaseError, ExposedError
from data.log_setup import COMMAND, begin_log
from data.private_files import PRIVATE_UMASK
from data.settings import Settings, unknown_settings, wrong_settings
from gis.errors import OneGridError

__all__ = ["app", "main"]

app.add_typer(cluster.app, name="db")
app.add_typer(imports.app, name="import")
app.add_typer(plans.app, name="plan")
app.add_typer(incidents.incident_app, name="incident")
app.add_typer(incidents.notice_app, name="notice")
app.add_typer(staff.app, name="staff")
app.add_typer(cards.app, name="card")
app.add_typer(users.user_app, name="user")
app.add_typer(users.audit_app, name="audit")
app.add_typer(retention.app, name="retention")
answers.register(app)
roads.register(app)
work.register(app)
serving.register(app)


def main() -> None:
    """Run the command line; our own errors become one line and an exit code."""
    os.umask(PRIVATE_UMASK)
    told = Terminal(stderr=True)
    for name, meant in unknown_settings(os.environ).items():
        hint = f"; is {meant} meant?" if meant else ""
        told.entry(f"! {name} is no setting: it is not used{hint}", style="yellow")
    try:
        begin_log(COMMAND)
        app()
    except OneGridError as error:
        told.message(f"✗ {error}", style="red")
        sys.exit(2 if isinstance(error, ClusterError | DatabaseError | ExposedError) else 1)
    except OperationalError as error:  # the server went away, or its disk is full
        told.message(f"✗ the database failed: {str(error.orig).strip()}", style="red")
        sys.exit(2)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        for line in wrong_settings(error, os.environ):
            told.entry(f"✗ {line}", style="red")
        sys.exit(2)
