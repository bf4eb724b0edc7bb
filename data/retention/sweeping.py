"""Deleting rows by batches: short transactions, one pass over a table, a bad row is passed by.

A pass goes through a table in the order in which its rows lie (``ctid``), which needs no index and
reads nothing twice. Rows that somebody holds locked are left for another night.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

__all__ = ["BATCH", "SWEEPS", "Batch", "Sweep", "count_due", "sweep_batch"]

# A batch takes some tens of milliseconds, for which its own rows alone are locked.
BATCH = 2_000
_START = "(0,0)"
# Nobody waits long behind a deletion, nor it behind anybody. The queue's triggers find its tables
# by the path alone.
_BOUNDS = text(
    "SELECT set_config('lock_timeout', '500ms', true), "
    "set_config('search_path', 'public, jobs', true)"
)
_OVER = (
    "generation_id IN (SELECT generation.id FROM generation WHERE county = :county AND "
    "CASE state WHEN 'published' THEN lower(valid) < :until WHEN 'discarded' THEN "
    "coalesce((SELECT max(at) FROM review_step WHERE step = 'discard' "
    "AND review_step.generation_id = generation.id), created_at) < :until ELSE false END)"
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which rows of a table are due: those that meet a condition on ``:until`` and ``:county``."""

    table: str
    condition: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did.

    Attributes
    ----------
    last : str
        Where the next batch goes on; empty where the table is done.
    rows, bytes : int
        Deleted.
    passed : int
        Rows that could not be deleted.
    """

    last: str
    rows: int
    bytes: int
    passed: int


SWEEPS: dict[str, tuple[Sweep, ...]] = {
    "notices": (Sweep("outbox", "county = :county AND state <> 'waiting' AND made_at < :until"),),
    "failed_jobs": (
        # Their events go with them.
        Sweep(
            "jobs.procrastinate_jobs",
            "status NOT IN ('todo', 'doing') AND NOT EXISTS (SELECT FROM jobs.procrastinate_events "
            "WHERE job_id = procrastinate_jobs.id AND at >= :until)",
        ),
    ),
    "draft_tables": tuple(
        Sweep(table, _OVER)
        for table in ("draft_block", "draft_grid", "draft_former", "draft_community")
    ),
    "closures": (Sweep("closure", "county = :county AND upper(valid) < :until"),),
    "devices": (Sweep("device", "county = :county AND disabled_at < :until"),),
    "counts": (Sweep("asked", "county = :county AND expires_at < :until"),),
    "retention_runs": (Sweep("retention_run", "county = :county AND ended_at < :until"),),
}


def count_due(connection: Connection, sweep: Sweep, county: str, until: datetime) -> int:
    """How many rows are due."""
    query = f"SELECT count(*) FROM {sweep.table} WHERE {sweep.condition}"  # noqa: S608 - constants
    return int(connection.execute(text(query), {"county": county, "until": until}).scalar_one())


def sweep_batch(
    connection: Connection, sweep: Sweep, county: str, until: datetime, after: str = ""
) -> Batch:
    """Delete the next rows that are due, in the caller's transaction.

    Parameters
    ----------
    after : str
        What the batch before said; empty for the table's beginning.
    """
    connection.execute(_BOUNDS)
    key = {"county": county, "until": until, "after": after or _START, "most": BATCH}
    query = (
        f"SELECT CAST(ctid AS text) FROM {sweep.table} WHERE ctid > CAST(:after AS tid) "  # noqa: S608 - constants
        f"AND {sweep.condition} LIMIT :most FOR UPDATE SKIP LOCKED"
    )
    due = list(connection.execute(text(query), key).scalars())
    if not due:
        return Batch("", 0, 0, 0)
    last = due[-1] if len(due) == BATCH else ""
    try:
        with connection.begin_nested():
            return Batch(last, *_delete(connection, sweep, due), 0)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    return _one_by_one(connection, sweep, due, last)


def _delete(connection: Connection, sweep: Sweep, rows: list[str]) -> tuple[int, int]:
    name = sweep.table.rpartition(".")[2]
    query = (
        f"WITH gone AS (DELETE FROM {sweep.table} WHERE ctid = ANY (CAST(:rows AS tid[])) "  # noqa: S608 - constants
        f"RETURNING pg_column_size({name}.*) AS size) "
        "SELECT count(*), coalesce(sum(size), 0) FROM gone"
    )
    count, size = connection.execute(text(query), {"rows": rows}).one()
    return int(count), int(size)


def _one_by_one(connection: Connection, sweep: Sweep, due: list[str], last: str) -> Batch:
    """What a batch cannot do at once, because of one row, is done for all the others."""
    rows = size = passed = 0
    for row in due:
        try:
            with connection.begin_nested():
                count, row_size = _delete(connection, sweep, [row])
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            passed += 1
        else:
            rows, size = rows + count, size + row_size
    return Batch(last, rows, size, passed)
