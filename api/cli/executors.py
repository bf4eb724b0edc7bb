"""Where batch work runs: in this process, in processes of this machine, or on a Dask cluster."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from data.errors import StateError

__all__ = ["executor_of"]


@contextmanager
def executor_of(jobs: int, dask: str | None) -> Iterator[Executor | None]:
    """Executor for a number of processes (0: one a core, 1: none) or a Dask scheduler.

    Raises
    ------
    StateError
        If Dask is asked for and not installed.
    """
    if dask is not None:
        try:
            from dask.distributed import Client  # noqa: PLC0415 - an optional part
        except ImportError as error:
            raise StateError("Dask is not installed: pip install distributed") from error
        with Client(dask) as client:  # type: ignore[no-untyped-call]  # dask is untyped
            yield client.get_executor()
        return
    count = jobs or os.cpu_count() or 1
    if count == 1:
        yield None
        return
    # Forked children would share the parent's threads and database connections.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        yield pool
