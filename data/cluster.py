"""The private PostGIS cluster: made, started, stopped and found again by the program itself.

It listens on a Unix socket in the state folder, which nobody else reaches, trusts only the
operating system's own word for who connects (peer authentication), and never runs as root. Its
superuser makes roles and extensions, and nothing else is done as it.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from data.binaries import Postgres, RunAs, find_postgres, unprivileged_user
from data.cluster_log import ClusterLog
from data.cluster_owner import OWNER_ROLE, give_to_owner
from data.errors import ClusterError, StateError
from data.keeping import keeper_of
from data.machine import memory_bytes
from data.postmaster import postmaster_of
from data.private_files import make_home

__all__ = ["EXTENSIONS", "SERVING_ROLE", "Cluster"]

EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")
_ROLE = "onegrid"
# Beside the superuser and the owner, who serves.
SERVING_ROLE = "onegrid_serve"
_ROLES = (_ROLE, OWNER_ROLE, SERVING_ROLE)
_DATABASE = "onegrid"
# The server's log says what went wrong, never with which values: they may be where somebody is.
_SILENT = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
_SOCKET_LIMIT = 90  # sun_path holds 107 bytes; the socket's file name takes the rest
_NEEDED_BYTES = 200 * 2**20
_START_TRIES = 20
_CONNECTIONS = 100
# A throw-away cluster stands beside others.
_SMALL_MB = 2048
# The times of files are kept by a coarser clock.
_CLOCK_STEP_S = 1.0
_OWNER_OF = (
    "SELECT 1 FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba "
    "WHERE datname = %s AND rolname = %s"
)


@dataclass(frozen=True)
class Cluster:
    """A PostGIS cluster under a state folder.

    Parameters
    ----------
    home : Path
        State folder; made where absent.
    port : int or None
        TCP port on 127.0.0.1 (scram, password in ``home/password``); None for no TCP.
    durable : bool
        False switches fsync off: for throw-away test clusters only.
    connections : int
        How many the server admits.
    """

    home: Path
    port: int | None = None
    durable: bool = True
    connections: int = 100

    @cached_property
    def run_as(self) -> RunAs:
        """The system user that the server runs as."""
        return unprivileged_user()

    @cached_property
    def root(self) -> Path:
        """Folder of the cluster: in `home`, or where the server's user cannot go there, beside."""
        make_home(self.home, is_passed=self.run_as.uid is not None)
        if (self.home / "cluster").is_dir() and self.run_as.uid is not None:
            # A home that was closed since: its data are not to be looked for elsewhere.
            self.home.chmod(self.home.stat().st_mode | 0o111)
        if self.run_as.can_enter(self.home):
            return self.home
        beside = Path("/var/lib/onegrid") / self._digest
        for folder in (beside.parent, beside):
            if not folder.exists():
                make_home(folder, is_passed=True)
        return beside

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "cluster"

    @property
    def log(self) -> ClusterLog:
        """The server's log."""
        return ClusterLog(self.root)

    @cached_property
    def socket_dir(self) -> Path:
        """Folder of the Unix socket; a short one where the state folder's path is too long."""
        inside = self.root / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_LIMIT:
            return inside
        return Path("/tmp") / f"onegrid-{self._digest}"  # noqa: S108 - owned, mode 0700

    @property
    def url(self) -> str:
        """SQLAlchemy address of the cluster's database, as its owner."""
        return self.url_of(_DATABASE, role=OWNER_ROLE)

    @property
    def serving_url(self) -> str:
        """SQLAlchemy address of the cluster's database, as the role that serves."""
        return self.url_of(_DATABASE, role=SERVING_ROLE)

    def url_of(self, database: str, *, role: str = _ROLE) -> str:
        """SQLAlchemy address of a database of this cluster."""
        port = f"&port={self.port}" if self.port else ""
        return f"postgresql+psycopg://{role}@/{database}?host={quote(str(self.socket_dir))}{port}"

    def is_running(self) -> bool:
        """Whether the server answers on its socket."""
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def _is_ready(self) -> bool:
        """Whether the server answers, and holds what this version of the program needs."""
        try:
            with self._connect("postgres") as connection:
                owned = connection.execute(_OWNER_OF, (_DATABASE, OWNER_ROLE)).fetchone()
        except psycopg.OperationalError:
            return False
        return owned is not None

    def ensure_running(self) -> bool:
        """Make and start the cluster where needed; True if this call started it.

        Two programs that call this at once are told apart by a file lock: one starts the
        server, both use it.

        Raises
        ------
        ClusterError
            If PostgreSQL or PostGIS is missing, the disk is full, or the server will not start.
        """
        if self._is_made() and self._is_ready():
            return False
        with self._locked():
            if self._is_made() and self._is_ready():
                return False
            runs = self._is_made() and self.is_running()
            if not runs:
                self._check_disk()
                if not self._is_made():
                    self._make()
                self._start()
            self._prepare()
        return not runs

    def stop(self) -> bool:
        """Stop the server; True if it was running.

        Raises
        ------
        StateError
            If another process keeps it running, and would start it again.
        ClusterError
            If it does not stop.
        """
        if not self._is_made():
            return False
        if (keeper := keeper_of(self.data_dir)) is not None:
            raise StateError(
                f"onegrid up (process {keeper}) keeps this cluster running and would start it "
                f"again: end that first (Ctrl-C where it runs, or kill {keeper}); it stops the "
                "cluster where it has started it"
            )
        with self._locked():
            if postmaster_of(self.data_dir) is None:
                return False
            done = self._pg_ctl("stop", "-m", "fast", "-w", "-t", "60")
            if done.returncode:
                raise ClusterError(f"the cluster does not stop: {done.stderr.strip()}")
        return True

    def destroy(self) -> None:
        """Stop the server and delete the cluster with all its data."""
        self.stop()
        for folder in (self.data_dir, self.socket_dir, self.log.folder):
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def postgres(self) -> Postgres:
        """The PostgreSQL that this cluster was made with, or the newest one for a new cluster."""
        version = self.data_dir / "PG_VERSION"
        return find_postgres(int(version.read_text()) if version.exists() else None)

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]

    def _is_made(self) -> bool:
        return (self.data_dir / "PG_VERSION").exists() and (self.data_dir / "onegrid.ok").exists()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "cluster.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.root).free
        if free < _NEEDED_BYTES:
            raise ClusterError(
                f"the disk under {self.root} is full: {free // 2**20} MiB free, the cluster needs "
                f"{_NEEDED_BYTES // 2**20} MiB; make room or set ONEGRID_HOME to another disk"
            )

    def _own(self, folder: Path, mode: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISLNK(status.st_mode) or status.st_uid not in {os.geteuid(), self.run_as.uid}:
            raise ClusterError(f"{folder} is somebody else's, or a link: take it away")
        folder.chmod(mode)
        if self.run_as.uid is not None and self.run_as.gid is not None:
            os.chown(folder, self.run_as.uid, self.run_as.gid)

    def _make(self) -> None:
        if self.data_dir.exists():  # an initdb that was killed half-way
            shutil.rmtree(self.data_dir)
        self._own(self.data_dir, 0o700)
        command: list[str | Path] = [
            self.postgres / "initdb",
            "--pgdata",
            self.data_dir,
            "--username",
            _ROLE,
        ]
        command += ["--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", "--no-instructions"]
        done = self.run_as.run([*command, *([] if self.durable else ["--no-sync"])])
        if done.returncode:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            raise ClusterError(f"the cluster cannot be made: {done.stderr.strip()}")
        self._write_authentication()
        (self.data_dir / "onegrid.ok").touch()

    def _write_authentication(self) -> None:
        users = sorted({self.run_as.name, pwd.getpwuid(os.geteuid()).pw_name})
        (self.data_dir / "pg_ident.conf").write_text(
            "".join(f"onegrid {user} {role}\n" for user in users for role in _ROLES)
        )
        (self.data_dir / "pg_hba.conf").write_text(
            "local all all peer map=onegrid\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def _options(self) -> str:
        settings = {
            "unix_socket_directories": f"'{self.socket_dir}'",
            "unix_socket_permissions": "0700",
            # Who connects and says nothing keeps others out no longer than this.
            "authentication_timeout": "5s",
            "listen_addresses": "'127.0.0.1'" if self.port else "''",
            "port": "5432" if self.port is None else str(self.port),
            "max_connections": str(max(self.connections, _CONNECTIONS)),
            **self._memory(),
            "timezone": "UTC",
            "jit": "off",
            **self.log.settings(),
            **_SILENT,
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return " ".join(f"-c {name}={value}" for name, value in settings.items())

    def _memory(self) -> dict[str, str]:
        """What the server takes of the machine's memory: the other half is the program's."""
        whole_mb = memory_bytes() >> 20 if self.durable else _SMALL_MB
        return {
            "shared_buffers": f"{min(max(whole_mb // 8, 64), 8192)}MB",
            "effective_cache_size": f"{max(whole_mb // 2, 256)}MB",
            "work_mem": f"{min(max(whole_mb // 512, 8), 64)}MB",
            "maintenance_work_mem": f"{min(max(whole_mb // 32, 64), 1024)}MB",
        }

    def _start(self) -> None:
        # Nobody else fills the server's connections; root, who runs it as another, gets in.
        self._own(self.socket_dir, 0o700)
        self._own(self.log.folder, 0o700)
        self.log.first.touch()
        if self.run_as.uid is not None and self.run_as.gid is not None:
            os.chown(self.log.first, self.run_as.uid, self.run_as.gid)
        self.log.trim()
        if postmaster_of(self.data_dir) is None:
            self._clear_stale_files()
        self._write_authentication()  # a cluster of an earlier version knows fewer roles
        for _ in range(_START_TRIES):
            begun_s = time.time() - _CLOCK_STEP_S
            done = self._pg_ctl(
                "start", "-w", "-t", "60", "-l", self.log.first, "-o", self._options()
            )
            if done.returncode == 0:
                return
            # After kill -9 the old server's children hold its memory for a moment.
            if "pre-existing shared memory" not in self.log.tail(begun_s):
                break
            time.sleep(0.5)
        raise ClusterError(
            f"the cluster does not start; its log, {self.log.first} and what lies in "
            f"{self.log.folder}, ends:\n{self.log.tail(begun_s)}"
        )

    def _prepare(self) -> None:
        # It may run as an earlier version has started it.
        self._write_authentication()
        with self._connect("postgres") as connection:
            connection.execute("SELECT pg_reload_conf()")
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)
            ).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
            for role in (OWNER_ROLE, SERVING_ROLE):
                if not connection.execute(
                    "SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)
                ).fetchone():
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            if self.port is not None:
                connection.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                        sql.Identifier(_ROLE), sql.Literal(self._password())
                    )
                )
        with self._connect(_DATABASE) as connection:
            give_to_owner(connection, EXTENSIONS)

    def _password(self) -> str:
        path = self.home / "password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            user=_ROLE,
            dbname=database,
            host=str(self.socket_dir),
            port=self.port or 5432,
            autocommit=True,
            connect_timeout=5,
        )

    def _pg_ctl(self, action: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run_as.run([self.postgres / "pg_ctl", action, "-D", self.data_dir, *arguments])

    def _clear_stale_files(self) -> None:
        """Remove what a killed server left: its process id may belong to another by now."""
        for stale in (self.data_dir / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
