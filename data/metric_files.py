"""How the processes of one machine tell each other their metrics: a small file each.

A request for the metrics reaches any one process; it answers for all of them, each under its own
labels. Which process is which is a place among those of its part that it holds by a lock, so that
one that is started again goes on with the series of the one that ended. prometheus_client's own
mode for several processes keeps a file for each number of a process that has ever lived, and has
neither custom collectors nor those of memory and descriptors.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

__all__ = ["Place", "Told", "merged", "told_by_others"]

# Whoever has not said anything for so long has been killed.
_OLD_S = 60.0
_MOST_PLACES = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a process has told, under whose name, and how long ago."""

    part: str
    process: str
    age_s: float
    metrics: list[Metric]


class Place:
    """A process's place among those of its part, held until it ends.

    Parameters
    ----------
    folder : Path
        Of the metrics; made where absent.
    part : str
    """

    def __init__(self, folder: Path, part: str) -> None:
        self._folder, self.part = folder, part
        self._lock: IO[str] | None = None
        self.number = 0

    @property
    def process(self) -> str:
        """The label of the process."""
        return str(self.number)

    def take(self) -> None:
        """Hold the first place that is free; whoever has one keeps it."""
        if self._lock is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(1, _MOST_PLACES + 1):
            lock = (self._folder / f"{self.part}-{number}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self._lock, self.number = lock, number
            return
        raise OSError(f"{_MOST_PLACES} processes of one part tell their metrics already")

    def tell(self, registry: CollectorRegistry) -> None:
        """Write what is measured now, for the other processes."""
        said = [
            [
                one.name,
                one.documentation,
                one.type,
                [[s.name, s.labels, s.value] for s in one.samples],
            ]
            for one in registry.collect()
        ]
        made = self._file.with_suffix(".new")
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(said, file)
        made.rename(self._file)

    def leave(self) -> None:
        """Tell nothing any more."""
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    @property
    def _file(self) -> Path:
        return self._folder / f"{self.part}-{self.number}.json"


def told_by_others(folder: Path, own: Place) -> Iterator[Told]:
    """What the other processes have told lately."""
    for path in sorted(folder.glob("*.json")):
        part, _, number = path.stem.rpartition("-")
        if (part, number) == (own.part, own.process):
            continue
        try:
            age_s = time.time() - path.stat().st_mtime
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        if abs(age_s) <= _OLD_S:
            yield Told(part, number, age_s, [_metric(*one) for one in said])


def merged(told: Iterable[Told]) -> CollectorRegistry:
    """One registry of all processes, in which each sample names its part and process."""
    families: dict[str, Metric] = {}
    for one in told:
        own = {"part": one.part, "process": one.process}
        for metric in one.metrics:
            family = families.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            family.samples.extend(
                Sample(sample.name, sample.labels | own, sample.value) for sample in metric.samples
            )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(list(families.values())))
    return registry


class _Families:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _metric(name: str, documentation: str, kind: str, samples: list[Any]) -> Metric:
    metric = Metric(name, documentation, kind)
    metric.samples = [Sample(sample, labels, value) for sample, labels, value in samples]
    return metric
