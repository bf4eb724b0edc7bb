"""Another user of the machine reads what the server holds: its state folder, a backup; and a
backup that somebody has prepared writes beside the folder that it is restored to.
"""

import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from data.backup import backup, restore
from data.cluster import SERVING_ROLE, Cluster
from data.database import Database
from data.errors import DatabaseError
from data.private_files import tighten
from data.serving_role import is_protected, may_serve
from tests.conftest import ROOT, Furnished, create_database


def readable_by_others(home: Path) -> list[str]:
    """What others may read or list; the way to the cluster's folder may be passed through."""
    found = []
    for path in [home, *home.rglob("*")]:
        if {"cluster", "socket"} & set(path.relative_to(home).parts):
            continue
        if stat.S_IMODE(path.lstat().st_mode) & 0o066:
            found.append(str(path))
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may pass through, as the system's are."""
    folder = Path(tempfile.mkdtemp(prefix="onegrid-place-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def onegrid(home: Path, *words: str, **more: str) -> str:
    command = [sys.executable, "-c", "from api.cli import main; main()", *words]
    # A careless shell's umask, and nothing of the suite's own.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ONEGRID_")}
    environment |= {"ONEGRID_HOME": str(home), "COLUMNS": "200"} | more
    done = subprocess.run(
        command, cwd=ROOT, env=environment, umask=0o022, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def serves(home: Path) -> None:
    """The role that serves may do its work, and nobody else what runs with the owner's rights."""
    owner, serving = (
        Database.at(url, pooled=False) for url in (Cluster(home).url, Cluster(home).serving_url)
    )
    assert may_serve(owner.engine, SERVING_ROLE)
    assert is_protected(serving.engine)
    open_to_all = text(
        "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a "
        "WHERE prosecdef AND pronamespace = 'public'::regnamespace AND a.grantee = 0 "
        "AND pg_has_role(proowner, 'USAGE')"
    )
    with owner.session() as session:
        assert session.scalars(open_to_all).all() == []
    with serving.session() as session:
        assert session.scalar(text("SELECT count(*) FROM grid"))
        session.execute(text("UPDATE person SET name = name WHERE false"))


def test_a_backup_restored_into_an_empty_home_dispatches_the_same(
    place: Path, furnished: Furnished, city: Database
) -> None:
    saved = place / "saved.tar"
    backup(city, saved, furnished.home)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    ask = ("dispatch", "--at", "122.31", "43.575", "--class", "E01", "--json")
    address = city.engine.url.render_as_string()
    before = onegrid(furnished.home, *ask, ONEGRID_DATABASE_URL=address)
    home = place / "new"
    try:
        said = onegrid(home, "db", "restore", str(saved))
        assert "database, networks" in said
        assert onegrid(home, *ask) == before
        serves(home)
        assert readable_by_others(home) == []
        assert "0 kept heads" in onegrid(home, "audit", "verify")
        onegrid(home, "db", "backup", str(place / "again.tar"))
        assert stat.S_IMODE((place / "again.tar").stat().st_mode) == 0o600
    finally:
        Cluster(home).destroy()


def test_an_existing_home_is_tightened_and_its_cluster_still_starts(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o755)
    cluster = Cluster(home, durable=False)
    try:
        cluster.ensure_running()
        (home / "jobs" / "7").mkdir(parents=True)
        (home / "jobs" / "7" / "source.csv").write_text("name\n")
        for path in (home, *home.rglob("jobs/**/*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (home / "out").symlink_to("/etc/hostname")
        mode = Path("/etc/hostname").stat().st_mode
        assert tighten(home) > 0
        assert readable_by_others(home) == [str(home / "out")], "a link has no mode of its own"
        assert Path("/etc/hostname").stat().st_mode == mode
        assert tighten(home) == 0
        cluster.stop()
        home.chmod(0o700)
        Cluster(home, durable=False).ensure_running()
        assert cluster.is_running()
        assert Cluster(home).root == home, "the data are where they were"
    finally:
        cluster.destroy()


@pytest.mark.parametrize("name", ["../outside", "/tmp/onegrid-outside", "link"])  # noqa: S108
def test_a_prepared_backup_writes_nothing_outside(
    cluster: Cluster, place: Path, template: str, name: str
) -> None:
    evil = place / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(entry)
            entry = tarfile.TarInfo("link/outside")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    database = create_database(cluster, "one_restored", template)
    with pytest.raises(DatabaseError, match=r"evil\.tar"):
        restore(database, evil, place / "home")
    database.engine.dispose()
    assert not (place / "outside").exists()
    assert not Path("/tmp/onegrid-outside").exists()  # noqa: S108 - looked for, not written
    assert list((place / "home").iterdir()) == []
