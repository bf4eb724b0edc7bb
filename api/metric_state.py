"""What any process tells of itself when it is asked: its threads and its connections."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, QueuePool

from data.background import BackgroundState

__all__ = ["PoolState", "ThreadState"]


class ThreadState(Collector):
    """The background threads of a process."""

    def __init__(self, threads: Callable[[], Iterable[BackgroundState]]) -> None:
        self._threads = threads

    def collect(self) -> Iterator[Metric]:
        """How each of them is now; several of one name count together."""
        failures = CounterMetricFamily(
            "onegrid_thread_failures",
            "How often a background thread has failed while the database was there.",
            labels=["work"],
        )
        ill = GaugeMetricFamily(
            "onegrid_thread_ill", "Background threads that fail or are stuck now.", labels=["work"]
        )
        stuck = GaugeMetricFamily(
            "onegrid_thread_stuck", "Background threads that hang.", labels=["work"]
        )
        states: dict[str, list[BackgroundState]] = {}
        for state in self._threads():
            states.setdefault(state.name, []).append(state)
        for name, of_name in states.items():
            failures.add_metric([name], sum(one.faults for one in of_name))
            ill.add_metric([name], sum(not one.is_well for one in of_name))
            stuck.add_metric([name], sum(one.is_stuck for one in of_name))
        yield from (failures, ill, stuck)


class PoolState(Collector):
    """The connections that a process has to the database."""

    def __init__(self, engine: Engine) -> None:
        self._pool = engine.pool

    def collect(self) -> Iterator[Metric]:
        """How many there are now; nothing where there is no pool."""
        pool = self._pool
        if not isinstance(pool, QueuePool):
            return
        found = GaugeMetricFamily(
            "onegrid_database_connections",
            "Connections of the pool: in_use, idle, and how many of them are beyond its size.",
            labels=["state"],
        )
        found.add_metric(["in_use"], pool.checkedout())
        found.add_metric(["idle"], pool.checkedin())
        found.add_metric(["overflow"], max(pool.overflow(), 0))
        most = pool.size() + pool._max_overflow  # noqa: SLF001 - told nowhere else
        yield found
        yield GaugeMetricFamily(
            "onegrid_database_connections_most", "Connections that the pool may have.", most
        )
