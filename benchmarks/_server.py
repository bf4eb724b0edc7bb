"""Servers as processes of their own, and somebody who is signed in to ours."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import httpx2
from sqlalchemy import text

from benchmarks._made_county import COUNTY
from benchmarks.who import free_port
from data.database import Database

__all__ = ["PASSWORD", "SignedIn", "running", "served"]

PASSWORD = "benchmark account 1"  # noqa: S105 - of a throw-away database


@contextmanager
def served(
    database: Database, folder: str, *, county: str = COUNTY, trusted: str = "127.0.0.0/8"
) -> Iterator[str]:
    """Our server over the database; its address. Clients of `trusted` are not counted."""
    port = free_port()
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    environment = {"ONEGRID_DATABASE_URL": url, "ONEGRID_COUNTY": county, "ONEGRID_HOME": folder}
    environment["ONEGRID_TRUSTED_NETWORKS"] = trusted
    command = [
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        "serve",
        "--port",
        str(port),
    ]
    with running(command, environment, port) as base:
        yield base


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int) -> Iterator[str]:
    """A web server's process, from its first answer at ``/healthz``; its address.

    We ask for more than a stranger may.
    """
    trusted = {"ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8"}
    process = subprocess.Popen(command, env=os.environ | trusted | environment)
    base = f"http://127.0.0.1:{port}"
    try:
        _await(f"{base}/healthz")
        yield base
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(address: str) -> None:
    for _ in range(900):
        try:
            with urlopen(address, timeout=60):  # noqa: S310 - our own servers
                return
        except URLError:
            time.sleep(0.1)


class SignedIn:
    """A signed-in account over HTTP; `csrf` is its session's token."""

    def __init__(self, base: str, database: Database, login: str) -> None:
        self.web = httpx2.Client(base_url=base, timeout=60)
        self.web.post("/login", data={"login": login, "password": PASSWORD})
        with database.session() as session:
            query = (
                "SELECT csrf FROM session JOIN account ON account.id = account_id "
                "WHERE login = :l ORDER BY session.expires_at DESC LIMIT 1"
            )
            self.csrf = session.scalar(text(query), {"l": login}) or ""
