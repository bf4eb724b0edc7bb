"""Backup and restore: the database by ``pg_dump``, and beside it what the state folder holds.

A backup is a tar: ``manifest.json`` says what is in it and what is left out, ``database.dump`` is
pg_dump's custom format, the rest are folders of the state folder.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text

from data.binaries import find_postgres
from data.database import Database
from data.errors import DatabaseError
from data.private_files import folder_beside, make_home, tighten

__all__ = ["KEPT", "LEFT_OUT", "backup", "require_idle", "restore"]

# Folders of the state folder: road networks, files of jobs, kept heads of the audit log, and what
# the demonstration city is made of.
KEPT = ("networks", "jobs", "audit", "demo")
LEFT_OUT = {
    "locators": "built again from the database",
    "cluster": "the database is in the dump",
    "password": "made anew by the cluster that is restored to",
    "settings": "ONEGRID_… are the environment's",
}
_DUMP, _MANIFEST = "database.dump", "manifest.json"
_MODE = 0o600
_FOREIGN = re.compile(
    r"\d+; \d+ \d+ (EXTENSION|COMMENT - EXTENSION|SCHEMA - public|COMMENT - SCHEMA public) "
)
_DROPS = ("DROP SCHEMA IF EXISTS audit CASCADE", "DROP SCHEMA IF EXISTS jobs CASCADE")
_IN_PUBLIC = """
    WITH own AS (SELECT classid, objid FROM pg_depend
            WHERE deptype IN ('e', 'i', 'a') AND objid <> refobjid),
        public AS (SELECT 'public'::regnamespace::oid AS oid)
    SELECT format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW'
            WHEN 'S' THEN 'SEQUENCE' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'c' THEN 'TYPE'
            ELSE 'TABLE' END, c.oid::regclass)
        FROM pg_class AS c JOIN public ON public.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'c')
        AND ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM own)
    UNION ALL SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
        FROM pg_proc AS p JOIN public ON public.oid = pronamespace
        WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM own)
    UNION ALL SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype)
        FROM pg_type AS t JOIN public ON public.oid = typnamespace WHERE typtype IN ('e', 'd')
        AND ('pg_type'::regclass, t.oid) NOT IN (SELECT * FROM own)
"""
_MAY_HARM = """
    SELECT rolsuper OR pg_has_role(current_user, 'pg_execute_server_program', 'MEMBER')
        OR pg_has_role(current_user, 'pg_read_server_files', 'MEMBER')
        OR pg_has_role(current_user, 'pg_write_server_files', 'MEMBER')
        OR EXISTS (SELECT FROM pg_roles AS any_ WHERE rolsuper
            AND pg_has_role(session_user, any_.oid, 'MEMBER'))
    FROM pg_roles WHERE rolname = session_user
"""
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND usename IN (SELECT unnest(CAST(:roles AS name[])))"
)
_COPY = re.compile(rb"COPY \S.* FROM stdin;\n")
# Lines that are for psql alone; everything else that begins so is no SQL and is refused by it.
_FOR_PSQL = re.compile(rb"\\(un)?restrict \w+\n")


def backup(database: Database, target: Path, home: Path) -> dict[str, object]:
    """Write database and state to one file, whole or not at all; return its manifest.

    Parameters
    ----------
    home : Path
        State folder.

    Raises
    ------
    DatabaseError
        If ``pg_dump`` fails; what it said is in the message.
    """
    with _beside(target) as folder:
        dump, whole = folder / _DUMP, folder / "backup.tar"
        # Large objects are none of ours: one that whoever serves has made would end the dump.
        arguments = ("--format=custom", "--no-blobs", f"--file={dump}")
        _run("pg_dump", *arguments, database=database)
        kept = [name for name in KEPT if (home / name).is_dir()]
        manifest: dict[str, object] = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "holds": ["database", *kept],
            "left_out": LEFT_OUT,
        }
        (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _write(whole, folder, home, kept)
        whole.replace(target)
    return manifest


def require_idle(database: Database, roles: Collection[str]) -> None:
    """Refuse to replace a database at which the program is at work.

    Parameters
    ----------
    roles : collection of str
        As which server, worker and commands are connected.

    Raises
    ------
    DatabaseError
        If any of them is.
    """
    with database.engine.connect() as connection:
        others = connection.execute(_OTHERS, {"roles": [*roles]}).scalar_one()
    if others:
        raise DatabaseError(
            f"the program is at work at this database ({others} connections): stop server and "
            "worker (onegrid up, serve, worker) first; nothing was restored"
        )


def restore(database: Database, source: Path, home: Path) -> list[str]:
    """Replace database and state by a backup's; return what was restored.

    The database is replaced all or nothing, and before the folders. A file of ``pg_dump`` alone,
    as earlier versions wrote it, restores the database only.

    Raises
    ------
    DatabaseError
        If the file is missing or none of ours, the role may do more to the machine than a backup is
        to be trusted with, or anything in it fails; all is then as before.
    """
    if not source.is_file():
        raise DatabaseError(f"no backup file {source}")
    if not tarfile.is_tarfile(source):
        _restore_database(database, source)
        return ["database"]
    make_home(home, is_passed=os.geteuid() == 0)
    with _beside(home / "restore") as folder:
        _extract(source, folder)
        _restore_database(database, folder / _DUMP)
        kept = [name for name in KEPT if (folder / name).is_dir()]
        for name in kept:
            shutil.rmtree(home / name, ignore_errors=True)
            (folder / name).replace(home / name)
    # It is built again from what was restored.
    shutil.rmtree(home / "locators", ignore_errors=True)
    tighten(home)
    return ["database", *kept]


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder of the same disk, readable by nobody else."""
    if not path.parent.is_dir():
        raise DatabaseError(f"no folder {path.parent}")
    with folder_beside(path) as folder:
        yield Path(folder)


def _write(whole: Path, folder: Path, home: Path, kept: list[str]) -> None:
    handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        os.fchmod(file.fileno(), _MODE)
        for name in (_MANIFEST, _DUMP):
            tar.add(folder / name, arcname=name, filter=_anonymous)
        for name in kept:
            tar.add(home / name, arcname=name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without the users of this machine, links, and marks of running processes."""
    if not (entry.isfile() or entry.isdir()) or entry.name.endswith(".lock"):
        return None
    entry.mode = 0o700 if entry.isdir() else _MODE
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _extract(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source) as tar:
            # The filter refuses links and names that lead out of the folder.
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise DatabaseError(f"{source} cannot be read: {error}") from error
    if not (folder / _DUMP).is_file():
        raise DatabaseError(f"{source} holds no {_DUMP}: it is no backup of this program")


def _restore_database(database: Database, dump: Path) -> None:
    """Run the dump as one transaction, as a role that is trusted with this database alone.

    Not by ``pg_restore --clean``: it drops the parts of a partitioned table one by one, which
    PostgreSQL refuses. Not by ``psql``: it runs commands of the shell that stand in a script. The
    script is written whole first, so that a torn dump changes nothing.
    """
    with tempfile.TemporaryDirectory(prefix="onegrid-restore-", dir=dump.parent) as folder:
        script, listed = Path(folder) / "dump.sql", Path(folder) / "listed"
        listed.write_text(_without_extensions(_run("pg_restore", "--list", str(dump))), "utf-8")
        # Rights are given anew to the role that serves here.
        arguments = ["--no-owner", "--no-acl", f"--use-list={listed}", f"--file={script}"]
        _run("pg_restore", *arguments, str(dump))
        try:
            with psycopg.connect(database.conninfo, connect_timeout=10) as connection:
                _require_harmless(connection)
                for statement in (*_DROPS, *_droppable(connection)):
                    connection.execute(statement.encode())
                _execute(connection, script)
        except psycopg.Error as error:
            said = str(error).strip().partition("\n")[0]
            raise DatabaseError(f"the backup was not restored: {said}") from error


def _without_extensions(contents: str) -> str:
    """The list of a dump without what only a superuser may make; it is there already."""
    return "".join(f"{line}\n" for line in contents.splitlines() if not _FOREIGN.match(line))


def _require_harmless(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    if connection.execute(_MAY_HARM).fetchone() != (False,):
        raise DatabaseError(
            "a backup is not restored by a superuser or a role that may read files or run programs "
            "of the database's machine: name the database's owner in ONEGRID_OWNER_URL, and let a "
            "superuser make the extensions beforehand"
        )


def _droppable(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Statements that empty the schema public but for the extensions."""
    return [str(name) for (name,) in connection.execute(_IN_PUBLIC).fetchall()]


def _execute(connection: psycopg.Connection[tuple[object, ...]], script: Path) -> None:
    """Run a script of ``pg_restore``: statements, and between them the rows of tables."""
    waiting: list[bytes] = []
    with script.open("rb") as lines, connection.cursor() as cursor:
        for line in lines:
            if not _COPY.fullmatch(line):
                waiting += [] if _FOR_PSQL.fullmatch(line) else [line]
                continue
            cursor.execute(b"".join(waiting))
            waiting.clear()
            with cursor.copy(line) as copy:
                for row in lines:
                    if row == b"\\.\n":
                        break
                    copy.write(row)
        cursor.execute(b"".join(waiting))


def _run(program: str, *arguments: str, database: Database | None = None) -> str:
    """Run a program of PostgreSQL; its password stands in no list of processes."""
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "10"}
    if database is not None:
        address = conninfo_to_dict(database.conninfo)
        if password := address.pop("password", None):
            environment["PGPASSWORD"] = str(password)
        arguments = (*arguments, f"--dbname={make_conninfo('', **address)}")
    done = subprocess.run(
        [find_postgres() / program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        raise DatabaseError(f"{program} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
