"""Assigning a folder of Parquet files, one task each: in processes, or on a Dask cluster.

Workers share the folders, and each loads the assigner once from a file in the output's.
"""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from data.bulk.room import require_folder
from data.errors import SourceError
from data.memory import held_for_long
from grids.assign.engine import Assigner
from grids.assign.table import AssignOptions, TableReport, assign_table

__all__ = ["assign_partitions"]

_ASSIGNER = ".assigner"


@dataclass(frozen=True, slots=True)
class _Task:
    assigner: Path
    source: Path
    target: Path
    options: AssignOptions


def assign_partitions(
    assigner: Assigner,
    source: Path,
    target: Path,
    *,
    options: AssignOptions,
    executor: Executor | None = None,
    progress: Callable[[float, int, int], None] | None = None,
) -> TableReport:
    """Assign every Parquet file of a folder to one of the same name.

    Parameters
    ----------
    source, target : Path
        Folders that every worker sees under the same path.
    executor : concurrent.futures.Executor, optional
        In this process without one.

    Raises
    ------
    SourceError
        If there is no Parquet file, or one cannot be read.
    """
    files = sorted(source.glob("*.parquet"))
    if not files:
        raise SourceError(f"{source} has no *.parquet files")
    require_folder(target)
    shared = target / _ASSIGNER
    shared.write_bytes(pickle.dumps(assigner))
    tasks = [_Task(shared, file, target / file.name, options) for file in files]
    total = TableReport(source.name, 0, 0, 0, 0, 0)
    try:
        for count, report in enumerate(_done(tasks, executor), 1):
            total = replace(
                total,
                read=total.read + report.read,
                placed=total.placed + report.placed,
                refused=total.refused + report.refused,
                fallback=total.fallback + report.fallback,
                resumed=total.resumed + report.resumed,
            )
            if progress is not None:
                progress(count / len(tasks), total.placed, total.refused)
    finally:
        shared.unlink(missing_ok=True)
    return total


def _done(tasks: list[_Task], executor: Executor | None) -> Iterator[TableReport]:
    if executor is None:
        yield from map(_run, tasks)
        return
    for future in as_completed([executor.submit(_run, task) for task in tasks]):
        yield future.result()


def _run(task: _Task) -> TableReport:
    """Assign one partition; a worker's whole task."""
    assigner = _assigner(task.assigner, task.assigner.stat().st_mtime_ns)
    return assign_table(assigner, task.source, task.target, options=task.options)


@lru_cache(maxsize=1)
def _assigner(path: Path, _changed: int) -> Assigner:
    held: Assigner = pickle.loads(path.read_bytes())  # noqa: S301 - written by this program
    held_for_long()
    return held
