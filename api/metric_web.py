"""What a process of the web server tells when it is asked: its turns, streams and readiness."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.health import Part

__all__ = ["Turns", "WebState"]


@dataclass(frozen=True, slots=True)
class Turns:
    """How turns at something are."""

    most: int
    in_use: int
    waiting: int
    refused: int


class WebState(Collector):
    """What only a process of the web server has.

    Parameters
    ----------
    turns : callable
        Turns by what they are at.
    listeners : callable
        How many listen to each stream.
    parts : callable
        What the process needs, as ``/readyz`` tells it.
    """

    def __init__(
        self,
        turns: Callable[[], Mapping[str, Turns]],
        listeners: Callable[[], Mapping[str, int]],
        parts: Callable[[], Iterable[Part]],
    ) -> None:
        self._turns, self._listeners, self._parts = turns, listeners, parts

    def collect(self) -> Iterator[Metric]:
        """How it is now."""
        yield from self._of_turns()
        listeners = GaugeMetricFamily(
            "onegrid_stream_listeners", "Open streams of events.", labels=["stream"]
        )
        for name, count in self._listeners().items():
            listeners.add_metric([name], count)
        yield listeners
        ready = GaugeMetricFamily(
            "onegrid_part_ready", "Whether a thing that answers need is there.", labels=["thing"]
        )
        needed = []
        for part in self._parts():
            ready.add_metric([part.name], part.is_ready)
            needed.append(part.is_ready or not part.is_needed)
        yield ready
        yield GaugeMetricFamily("onegrid_ready", "Whether the process can answer.", all(needed))

    def _of_turns(self) -> Iterator[Metric]:
        kinds: dict[str, GaugeMetricFamily | CounterMetricFamily] = {
            "most": GaugeMetricFamily("onegrid_turns_most", "Turns at once.", labels=["turns"]),
            "in_use": GaugeMetricFamily("onegrid_turns_in_use", "Turns taken.", labels=["turns"]),
            "waiting": GaugeMetricFamily(
                "onegrid_turns_waiting", "Who waits for a turn.", labels=["turns"]
            ),
            "refused": CounterMetricFamily(
                "onegrid_turns_refused", "Who was sent away without a turn.", labels=["turns"]
            ),
        }
        for name, turns in self._turns().items():
            for kind, family in kinds.items():
                family.add_metric([name], getattr(turns, kind))
        yield from kinds.values()
