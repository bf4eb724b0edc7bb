"""Not an attack, but as good as one: a database that lacks an extension or a right, or is reached
through a pooler, is told in one sentence at the start instead of failing at work.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from data.cluster import SERVING_ROLE, Cluster
from data.database import Database
from tests.conftest import create_database, free_port


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[Database]:
    """An empty database, as a role that owns nothing in it."""
    create_database(cluster, "one_bare").engine.dispose()
    made = Database.at(cluster.url_of("one_bare", role=SERVING_ROLE), pooled=False)
    yield made
    made.engine.dispose()


def tell(onegrid, monkeypatch, url: str, *words: str) -> str:
    monkeypatch.setenv("ONEGRID_DATABASE_URL", url)
    said = onegrid(*words, code=2)
    assert "Traceback" not in said
    assert said.startswith("✗ ")
    assert len(said.strip().splitlines()) <= 3, "one sentence"
    return " ".join(said.split())


def test_a_role_that_may_make_no_tables_is_told(onegrid, monkeypatch, bare: Database) -> None:
    said = tell(onegrid, monkeypatch, bare.conninfo, "db", "migrate")
    assert "may not bring the schema up to date" in said


def test_a_role_that_may_make_no_extensions_is_told(
    onegrid, monkeypatch, bare: Database, cluster: Cluster
) -> None:
    admin = Database.at(cluster.url_of("one_bare"), pooled=False)
    with admin.session() as session:
        session.execute(text("DROP EXTENSION postgis CASCADE"))
    admin.engine.dispose()
    said = tell(onegrid, monkeypatch, bare.conninfo, "db", "migrate")
    assert "lacks an extension" in said


def test_nobody_who_answers_is_told(onegrid, monkeypatch) -> None:
    said = tell(onegrid, monkeypatch, f"postgresql://x@127.0.0.1:{free_port()}/x", "db", "migrate")
    assert "does not answer" in said


@pytest.mark.skipif(not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), reason="no pgbouncer")
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_is_named_and_refused(
    onegrid, monkeypatch, cluster: Cluster, template: str, mode: str
) -> None:
    create_database(cluster, "one_pooled", template).engine.dispose()
    folder, port = cluster.home / f"bouncer-{mode}", free_port()
    folder.mkdir()
    folder.chmod(0o755)
    ini = folder / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\none_pooled = host={cluster.socket_dir} user=onegrid\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        f"pool_mode = {mode}\n"
    )
    ini.chmod(0o644)
    user = cluster.run_as
    program = subprocess.Popen(
        [shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), ini],
        user=user.uid,
        group=user.gid,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"postgresql://onegrid@127.0.0.1:{port}/one_pooled"
        await_answer(address)
        assert "PgBouncer" in tell(onegrid, monkeypatch, address, "serve")
    finally:
        program.terminate()
        program.wait(timeout=10)


def await_answer(address: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
