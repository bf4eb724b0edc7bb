"""Web, worker and PostGIS are killed while many clients report, send and carry on.

Nothing acknowledged is lost, nothing is done twice, nobody is sent to two cases at once.
``ONEGRID_STORM=200,300`` runs it at full length (clients, seconds); ``benchmarks.storm`` does so
over 20,000 cases and 19,478 people.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.demo import furnish
from data import migrate
from data.cluster import Cluster
from data.database import Database
from data.presets import seed_presets
from tests.storm import Storm, assert_nothing_lost

CLIENTS, SECONDS = map(int, os.environ.get("ONEGRID_STORM", "8,30").split(","))


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="onegrid-storm-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(home: Path) -> None:
    cluster = Cluster(home, durable=True)
    cluster.ensure_running()
    try:
        database = Database.at(cluster.url, pooled=False)
        database.prepare()
        migrate.upgrade(database.engine)
        with database.session() as session:
            seed_presets(session)
        assert furnish(database, home)
        storm = Storm(cluster, database, home, county="990100")
        told = storm.run(CLIENTS, SECONDS)
        assert min(storm.kills.values()) > 0, storm.kills
        assert told.steps, "work was done"
        assert_nothing_lost(database, storm, told)
    finally:
        cluster.destroy()
