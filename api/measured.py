"""What a process measures, told to the processes beside it for as long as it lives."""

import os
from collections.abc import Iterable
from functools import partial

from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from api.measures import REGISTRY
from data.background import Background, Rounds
from data.metric_files import Place, Told, merged, told_by_others
from data.settings import Settings

__all__ = ["Measured"]

_TELL_S = 10.0


class Measured:
    """What this process measures, told to the other processes while it lives.

    Parameters
    ----------
    settings : Settings
    part : str
    collectors : iterable of Collector
        What is looked at when somebody asks.
    gatherer : Background, optional
        Runs in the first process of the part alone: it looks at what all share.
    """

    def __init__(
        self,
        settings: Settings,
        part: str,
        collectors: Iterable[Collector],
        gatherer: Background | None = None,
    ) -> None:
        self._settings, self._collectors, self._gatherer = settings, list(collectors), gatherer
        self._place = Place(settings.metrics_dir, part)
        self._teller = Background("metrics", self._tell_on)

    @property
    def process(self) -> dict[str, int]:
        """How the log names this process; by its number among the metrics too, where it has one."""
        number = self._place.number
        # A record of the log has a `process` of its own.
        return {"pid": os.getpid()} | ({"process_number": number} if number else {})

    @property
    def threads(self) -> list[Background]:
        """What works in the background."""
        running = [self._teller, *([self._gatherer] if self._gatherer else [])]
        return [one for one in running if one.is_running]

    def start(self) -> None:
        """Take a place among the part's processes, and tell, where anybody may read it."""
        self._place.take()
        if self._settings.metrics == "off":
            return
        for one in self._collectors:
            REGISTRY.register(one)
        if self._gatherer is not None and self._place.number == 1:
            self._gatherer.start()
        self._teller.start()

    def stop(self) -> None:
        """Tell nothing any more, and leave the place."""
        if self._teller.is_running:
            self._teller.stop()
            if self._gatherer is not None:
                self._gatherer.stop()
            for one in self._collectors:
                REGISTRY.unregister(one)
        self._place.leave()

    def page(self) -> bytes:
        """All processes' metrics, as Prometheus reads them."""
        own = Told(self._place.part, self._place.process, 0.0, list(REGISTRY.collect()))
        others = told_by_others(self._settings.metrics_dir, self._place)
        return generate_latest(merged([own, *others]))

    def _tell_on(self, rounds: Rounds) -> None:
        rounds.repeat(partial(self._place.tell, REGISTRY), _TELL_S)
