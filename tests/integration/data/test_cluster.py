"""The private cluster under attack: killed, started twice, without PostGIS or disk."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import text

from data import binaries
from data.cluster import Cluster
from data.database import Database
from data.errors import ClusterError, DatabaseError, StateError
from data.keeping import keeper_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def own() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-own-"))
    home.chmod(0o755)
    made = Cluster(home)
    yield made
    made.destroy()
    shutil.rmtree(home, ignore_errors=True)


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data_dir / "postmaster.pid").read_text().split()[0])


def write_and_count(cluster: Cluster) -> int:
    database = Database.at(cluster.url)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS kept (n int)"))
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        count = connection.execute(text("SELECT count(*) FROM kept")).scalar_one()
    database.engine.dispose()
    return int(count)


def test_it_starts_once_and_stops_once(own: Cluster) -> None:
    assert own.ensure_running() is True
    assert own.ensure_running() is False
    assert write_and_count(own) == 1
    assert own.stop() is True
    assert own.stop() is False
    assert own.is_running() is False


def test_a_cluster_that_another_process_keeps_is_stopped_by_nobody_else(own: Cluster) -> None:
    """``onegrid up`` started it again at once, and ``onegrid db stop`` said that it was stopped."""
    own.ensure_running()
    assert keeper_of(own.data_dir) is None
    code = (
        "import sys, time; from pathlib import Path; from data.keeping import keeping\n"
        "with keeping(Path(sys.argv[1])): print('here', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(own.data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"here\n"
        with pytest.raises(StateError, match=rf"onegrid up \(process {keeper.pid}\) keeps"):
            own.stop()
        assert own.is_running()
        keeper.kill()
    assert keeper_of(own.data_dir) is None
    assert own.stop()


def test_the_server_never_runs_as_root(own: Cluster) -> None:
    own.ensure_running()
    assert Path(f"/proc/{postmaster(own)}").stat().st_uid != 0


def test_there_is_no_tcp_port_unless_asked(own: Cluster) -> None:
    own.ensure_running()
    database = Database.at(own.url)
    with database.engine.connect() as connection:
        assert connection.execute(text("SHOW listen_addresses")).scalar() == ""
    database.engine.dispose()


def test_what_was_committed_survives_a_killed_server(own: Cluster) -> None:
    own.ensure_running()
    assert write_and_count(own) == 1
    os.kill(postmaster(own), signal.SIGKILL)
    while own.is_running():
        time.sleep(0.05)
    assert own.ensure_running() is True
    assert write_and_count(own) == 2


def test_a_stale_pid_file_that_names_another_process_is_no_hindrance(own: Cluster) -> None:
    own.ensure_running()
    pid_file = own.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(postmaster(own), signal.SIGKILL)
    while own.is_running():
        time.sleep(0.05)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert own.ensure_running() is True
    assert write_and_count(own) == 1


def test_two_programs_that_start_at_once_share_one_server(own: Cluster) -> None:
    code = (
        "import sys; from pathlib import Path; from data.cluster import Cluster; "
        "print(Cluster(Path(sys.argv[1])).ensure_running())"
    )
    command = [sys.executable, "-c", code, str(own.home)]
    programs = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = sorted(program.communicate(timeout=120)[0].strip() for program in programs)
    assert said == ["False", "False", "True"]
    assert write_and_count(own) == 1


def test_an_initdb_that_was_killed_half_way_is_made_anew(own: Cluster) -> None:
    own.data_dir.mkdir(parents=True)
    (own.data_dir / "PG_VERSION").write_text("15\n")
    assert own.ensure_running() is True


def test_why_it_does_not_start_is_read_in_its_log(own: Cluster) -> None:
    """What the server says once it collects its words stands in another file."""
    own.ensure_running()
    assert [path.read_text() for path in own.log.files[1:]], "it is collected"
    own.stop()
    for path in (own.data_dir / "pg_wal").glob("0*"):
        path.unlink()
    with pytest.raises(ClusterError, match="checkpoint"):
        own.ensure_running()


def test_a_full_disk_is_said_before_anything_is_made(
    own: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(ClusterError, match="5 MiB free"):
        own.ensure_running()
    assert not own.data_dir.exists()


def test_a_missing_postgis_names_the_packages(
    own: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_has_postgis", lambda _: False)
    with pytest.raises(ClusterError, match="apt-get install postgresql postgresql-postgis"):
        own.ensure_running()


def test_what_the_machine_lacks_is_exit_code_two(tmp_path: Path) -> None:
    code = (
        "from data import binaries; binaries._has_postgis = lambda _: False; "
        "from api.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "db", "start"],
        cwd=ROOT,
        env={**os.environ, "ONEGRID_HOME": str(tmp_path / "state")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "PostGIS is not" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def by_tcp() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="onegrid-tcp-"))
    home.chmod(0o755)
    made = Cluster(home, port=15_777, durable=False)
    made.ensure_running()
    yield made
    made.destroy()
    shutil.rmtree(home, ignore_errors=True)


def test_tcp_asks_for_the_password_and_any_address_will_do(by_tcp: Cluster) -> None:
    password = (by_tcp.home / "password").read_text()
    assert (by_tcp.home / "password").stat().st_mode & 0o077 == 0
    address = f"postgresql://onegrid:{password}@127.0.0.1:15777/onegrid"
    database = Database.at(address)
    database.prepare()
    assert database.is_empty()
    database.engine.dispose()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(address.replace(password, "guess"))


def test_a_database_that_does_not_answer_is_said_with_what_to_do() -> None:
    database = Database.at("postgresql://onegrid@127.0.0.1:1/onegrid")
    with pytest.raises(DatabaseError, match="ONEGRID_DATABASE_URL"):
        database.prepare()
