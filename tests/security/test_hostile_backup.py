"""Attack: a backup that was changed on its way runs commands on the machine that restores it; and
other users of the machine read the database's password in the list of processes.

A dump is a program. It is run by the database's owner, who may neither start programs nor touch
files, by no shell, and whatever fails in it fails the command. What it leaves in the database (a
trigger) runs by no superuser later.
"""

import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from data import backup as module
from data.backup import backup, restore
from data.binaries import find_postgres
from data.cluster import EXTENSIONS, Cluster
from data.cluster_owner import OWNER_ROLE, give_to_owner
from data.database import Database
from data.errors import DatabaseError
from tests.conftest import create_database
from tests.integration.data.test_backup import owned_database

PADDING = "PADDING-" * 40


def hostile_dump(cluster: Cluster, folder: Path, instead: str) -> Path:
    """A dump whose view is something else."""
    source = create_database(cluster, "hostile_source")
    with source.engine.begin() as connection:
        connection.execute(text(f"CREATE VIEW v AS SELECT '{PADDING}'::text AS a"))
    source.engine.dispose()
    dump = folder / "hostile.dump"
    address = cluster.url_of("hostile_source").replace("+psycopg", "")
    command = [find_postgres() / "pg_dump", "--format=custom", f"--file={dump}", address]
    subprocess.run(command, check=True)
    content = dump.read_bytes()
    at = content.index(b"CREATE VIEW public.v AS")
    length = int.from_bytes(content[at - 4 : at], "little")
    changed = f"{instead}\n--".encode()
    changed += b"-" * (length - len(changed) - 1) + b"\n"
    dump.write_bytes(content[:at] + changed + content[at + length :])
    return dump


@pytest.mark.parametrize(
    "instead",
    [
        "COPY (SELECT 1) TO PROGRAM 'id > {mark}';",
        "COPY (SELECT 1) TO '{mark}';",
        "\\! id > {mark}",
        "\\o {mark}",
        "SELECT 1;\n\\! id > {mark}",
        "RESET SESSION AUTHORIZATION; RESET ROLE; COPY (SELECT 1) TO PROGRAM 'id > {mark}';",
        "SET SESSION AUTHORIZATION onegrid; COPY (SELECT 1) TO PROGRAM 'id > {mark}';",
        "ALTER ROLE onegrid_owner SUPERUSER;",
        "SELECT pg_read_file('/etc/passwd');",
    ],
)
def test_a_changed_backup_runs_nothing_and_is_no_success(
    cluster: Cluster, tmp_path: Path, instead: str
) -> None:
    tmp_path.chmod(0o777)
    mark = tmp_path / "PWNED"
    dump = hostile_dump(cluster, tmp_path, instead.format(mark=mark))
    target = owned_database(cluster, "hostile_target")
    with target.engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (n int)"))
    with pytest.raises(DatabaseError, match="not restored"):
        restore(target, dump, tmp_path / "home")
    assert not mark.exists()
    with target.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 0, "all is as before"
    target.engine.dispose()


def test_a_superuser_restores_nothing(cluster: Cluster, tmp_path: Path) -> None:
    dump = hostile_dump(cluster, tmp_path, "SELECT 1;")
    target = create_database(cluster, "hostile_target")
    with pytest.raises(DatabaseError, match="superuser"):
        restore(target, dump, tmp_path / "home")
    target.engine.dispose()


def test_the_owner_of_the_private_cluster_is_no_superuser(cluster: Cluster) -> None:
    database = Database.at(cluster.url, pooled=False)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SHOW is_superuser")) == "off"
        with pytest.raises(Exception, match="must be superuser"):
            connection.execute(text("COPY (SELECT 1) TO PROGRAM 'true'"))


def test_what_an_earlier_version_made_is_given_to_the_owner(
    cluster: Cluster, template: str
) -> None:
    create_database(cluster, "earlier", template).engine.dispose()
    address = cluster.url_of("earlier").replace("+psycopg", "")
    foreign = (
        "SELECT count(*) FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner "
        "WHERE rolname = 'onegrid' AND (relname IN ('incident', 'audit_log', 'audit_log_id_seq', "
        "'audit_read', 'procrastinate_jobs') OR relnamespace = 'audit'::regnamespace)"
    )
    with psycopg.connect(address, autocommit=True) as connection:
        assert connection.execute(foreign).fetchone() > (8,)
        # As a restore of an earlier version left it.
        connection.execute("ALTER SCHEMA public OWNER TO onegrid")
        give_to_owner(connection, EXTENSIONS)
        assert connection.execute(foreign).fetchone() == (0,)
    owner = Database.at(cluster.url_of("earlier", role=OWNER_ROLE), pooled=False)
    with owner.engine.begin() as made:
        made.execute(text("CREATE TABLE more (n int)"))
        made.execute(text("ALTER TABLE incident ADD COLUMN more int"))


def test_the_password_is_in_no_list_of_processes(monkeypatch, tmp_path: Path) -> None:
    seen = []

    def run(command, **how):
        seen.append((command, how))
        return subprocess.CompletedProcess(command, 1, "", "refused")

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(module, "find_postgres", lambda: Path("/usr/bin"))
    for address in ("postgresql://x:SECRET@h/x", "postgresql://x@h/x?password=SECRET"):
        with pytest.raises(DatabaseError):
            backup(Database.at(address), tmp_path / "b.tar", tmp_path)
    assert len(seen) == 2
    for command, how in seen:
        assert "SECRET" not in " ".join(map(str, command))
        assert how["env"]["PGPASSWORD"] == "SECRET"


def test_other_users_do_not_reach_the_private_clusters_socket(cluster: Cluster) -> None:
    sockets = list(cluster.socket_dir.glob(".s.PGSQL.*[0-9]"))
    for path in (cluster.socket_dir, *sockets):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert sockets
    with psycopg.connect(cluster.url_of("postgres").replace("+psycopg", "")) as connection:
        assert connection.execute("SHOW authentication_timeout").fetchone() == ("5s",)
