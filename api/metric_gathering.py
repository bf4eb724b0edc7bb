"""What the database knows of the county's work, looked at every 15 seconds by a thread.

One process of the web server does it for all. Who asks for the metrics gets what was seen last,
with its age, and waits for nothing.
"""

import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text

from data.background import Background, Rounds
from data.database import Database
from data.jobs import TASK
from data.ticks import tick_states

__all__ = ["Gatherer"]

_EVERY_S = 15.0
_SOON = text("SET LOCAL statement_timeout = '5s'")
# Jobs that have ended well are deleted at once: what is left waits, runs or has failed.
_JOBS = text(
    "SELECT task_name AS kind, status::text AS state, count(*) AS jobs, "
    "extract(epoch FROM now() - min(coalesce(scheduled_at, since))) AS age_s FROM ("
    "SELECT job.id, task_name, status, scheduled_at, min(event.at) AS since "
    "FROM jobs.procrastinate_jobs AS job "
    "LEFT JOIN jobs.procrastinate_events AS event ON event.job_id = job.id GROUP BY job.id) AS job "
    "GROUP BY 1, 2"
)
_NOTICES = text(
    "SELECT channel, count(*) FILTER (WHERE state = 'waiting') AS waiting, "
    "count(*) FILTER (WHERE state = 'failed') AS failed, "
    "coalesce(extract(epoch FROM now() - min(made_at) FILTER (WHERE state = 'waiting')), 0) "
    "AS age_s FROM outbox WHERE county = :county AND state IN ('waiting', 'failed') "
    "AND channel <> 'app' GROUP BY channel"
)
# What may be counted is told from nought on: what has no series cannot be told from what is broken.
_KINDS, _STATES = (TASK,), ("todo", "doing", "failed")
_CHANNELS = ("email", "sms", "webhook")
_POSITIONS = text(
    "SELECT count(*) AS known, extract(epoch FROM now() - max(heard_at)) AS age_s "
    "FROM position WHERE county = :county"
)
_PLAN = text(
    "SELECT id, extract(epoch FROM now() - lower(valid)) AS age_s FROM generation "
    "WHERE county = :county AND valid @> now()"
)


class Gatherer(Collector):
    """Looks at the database, and tells what it saw.

    Parameters
    ----------
    database : Database
    county : str
    home : Path
        The disk on which it lies is looked at too.
    """

    def __init__(self, database: Database, county: str, home: Path) -> None:
        self._database, self._county, self._home = database, county, home
        self._seen: tuple[float, list[Metric]] | None = None
        self.looker = Background("gather", self._look_on)

    def collect(self) -> Iterator[Metric]:
        """What was seen last, and how long ago; nothing before the first look."""
        seen = self._seen
        if seen is None:
            return
        yield GaugeMetricFamily(
            "onegrid_gathered_age_seconds",
            "Since when the figures of the database are as they are.",
            time.monotonic() - seen[0],
        )
        yield from seen[1]
        yield from self._disk()

    def look(self) -> None:
        """Look once."""
        with self._database.engine.begin() as connection:
            connection.execute(_SOON)
            found = [
                *self._jobs(connection),
                *self._notices(connection),
                *self._plan(connection),
                *self._ticks(connection),
            ]
        self._seen = time.monotonic(), found

    def _look_on(self, rounds: Rounds) -> None:
        rounds.repeat(self.look, _EVERY_S)

    def _rows(self, connection: Connection, query: Any) -> Any:
        return connection.execute(query, {"county": self._county})

    def _jobs(self, connection: Connection) -> Iterator[Metric]:
        jobs = GaugeMetricFamily(
            "onegrid_jobs", "Jobs of the queue: todo, doing, failed.", labels=["kind", "state"]
        )
        oldest = GaugeMetricFamily(
            "onegrid_jobs_oldest_seconds", "How long the oldest job waits.", labels=["kind"]
        )
        counts = {(kind, state): 0 for kind in _KINDS for state in _STATES}
        ages_s = dict.fromkeys(_KINDS, 0.0)
        for row in connection.execute(_JOBS):
            counts[row.kind, row.state] = row.jobs
            if row.state == "todo":
                ages_s[row.kind] = max(float(row.age_s or 0), 0.0)
        for labels, count in counts.items():
            jobs.add_metric(labels, count)
        for kind, age_s in ages_s.items():
            oldest.add_metric([kind], age_s)
        yield from (jobs, oldest)

    def _notices(self, connection: Connection) -> Iterator[Metric]:
        families = {
            "waiting": GaugeMetricFamily(
                "onegrid_notices_waiting", "Notices that nobody has taken yet.", labels=["channel"]
            ),
            "failed": GaugeMetricFamily(
                "onegrid_notices_failed", "Notices that were given up.", labels=["channel"]
            ),
            "age_s": GaugeMetricFamily(
                "onegrid_notices_oldest_seconds",
                "How long the oldest notice waits.",
                labels=["channel"],
            ),
        }
        rows = {row.channel: row for row in self._rows(connection, _NOTICES)}
        for channel in _CHANNELS:
            for name, family in families.items():
                family.add_metric([channel], float(getattr(rows.get(channel), name, 0)))
        yield from families.values()

    def _plan(self, connection: Connection) -> Iterator[Metric]:
        positions = self._rows(connection, _POSITIONS).one()
        plan = self._rows(connection, _PLAN).one_or_none()
        yield _gauge("onegrid_positions", "People whose position is known.", positions.known)
        yield _gauge(
            "onegrid_positions_newest_age_seconds",
            "How old the newest position is.",
            positions.age_s,
        )
        yield _gauge(
            "onegrid_plan_generation", "Number of the plan that holds.", plan.id if plan else None
        )
        yield _gauge(
            "onegrid_plan_age_seconds", "Since when it holds.", plan.age_s if plan else None
        )

    def _ticks(self, connection: Connection) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "onegrid_tick_age_seconds", "Since when periodic work was last done.", labels=["work"]
        )
        every = GaugeMetricFamily(
            "onegrid_tick_every_seconds", "How often periodic work is due.", labels=["work"]
        )
        failures = GaugeMetricFamily(
            "onegrid_tick_failures", "How often in a row periodic work failed.", labels=["work"]
        )
        late = GaugeMetricFamily(
            "onegrid_tick_late", "Whether periodic work is late.", labels=["work"]
        )
        for tick in tick_states(connection, self._county):
            if tick.age_s is not None:
                age.add_metric([tick.name], float(tick.age_s))
            every.add_metric([tick.name], tick.every_s)
            failures.add_metric([tick.name], tick.failures)
            late.add_metric([tick.name], tick.is_late)
        yield from (age, every, failures, late)

    def _disk(self) -> Iterator[Metric]:
        disk = shutil.disk_usage(self._home)
        yield GaugeMetricFamily(
            "onegrid_disk_free_bytes", "Room on the disk of the state folder.", disk.free
        )
        yield GaugeMetricFamily(
            "onegrid_disk_total_bytes", "Size of the disk of the state folder.", disk.total
        )


def _gauge(name: str, documentation: str, value: float | Decimal | None) -> GaugeMetricFamily:
    """A gauge without labels; it has no sample where there is no value."""
    return GaugeMetricFamily(name, documentation, None if value is None else float(value))
