"""Bulk upsert: rows to a table by COPY, through a staging table where some may be held."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Cursor, sql
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

__all__ = ["shapes_from_wkb", "upsert"]


def upsert(
    session: Session,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Iterable[str] = ("county", "source_ref"),
) -> int:
    """Insert rows, or update those whose key is held and whose values differ.

    Parameters
    ----------
    session : Session
        Its transaction holds all or nothing of it.
    table : str
    rows : sequence of mapping
        All with the same columns; shapely geometries are stored in EPSG:4326.
    key : iterable of str
        Columns that tell rows apart; none for rows that are new by nature.

    Returns
    -------
    int
        How many rows were new or changed.
    """
    if not rows:
        return 0
    columns = list(rows[0])
    keys = list(key)
    names = {
        "table": sql.Identifier(table),
        "stage": sql.Identifier(f"stage_{table}"),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
    }
    connection = session.connection().connection.driver_connection
    assert connection is not None  # noqa: S101 - a session in use has a connection
    with connection.cursor() as cursor:
        changed = len(rows)
        if keys:
            cursor.execute(_STAGE.format(**names))
            _copy(cursor, _COPY.format(**names), columns, rows)
            cursor.execute(_MERGE.format(action=_action(table, columns, keys), **names))
            changed = cursor.rowcount
            cursor.execute(sql.SQL("DROP TABLE {stage}").format(**names))
        else:  # there is nothing to compare with
            _copy(cursor, _COPY.format(**names | {"stage": names["table"]}), columns, rows)
        if changed >= _ANALYZE_FROM:
            cursor.execute(sql.SQL("ANALYZE {table}").format(**names))
    return changed


def _copy(
    cursor: Cursor[Any], statement: sql.Composed, columns: list[str], rows: Iterable[Any]
) -> None:
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([_cell(row[name]) for name in columns])


# What follows a bulk load in the same transaction is planned before autovacuum sees the rows:
# without statistics, joins to 20,000 fresh grid cells became nested loops that ran for minutes.
_ANALYZE_FROM = 1000

_STAGE = sql.SQL(
    "CREATE TEMP TABLE {stage} ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0"
)
_COPY = sql.SQL("COPY {stage} ({columns}) FROM STDIN")
_MERGE = sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} {action}")


def _action(table: str, columns: list[str], keys: list[str]) -> sql.Composable:
    if not keys:
        return sql.SQL("")
    conflict = sql.SQL("ON CONFLICT ({}) ").format(sql.SQL(", ").join(map(sql.Identifier, keys)))
    rest = [sql.Identifier(name) for name in columns if name not in keys]
    if not rest:
        return conflict + sql.SQL("DO NOTHING")
    held = sql.SQL(", ").join(sql.Identifier(table) + sql.SQL(".") + name for name in rest)
    new = sql.SQL(", ").join(sql.SQL("excluded.") + name for name in rest)
    sets = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in rest)
    update = sql.SQL("DO UPDATE SET {} WHERE ROW({}) IS DISTINCT FROM ROW({})")
    return conflict + update.format(sets, held, new)


def _cell(value: Any) -> Any:
    if isinstance(value, shapely.Geometry):
        return shapely.to_wkb(shapely.set_srid(value, 4326), hex=True, include_srid=True)
    if isinstance(value, Range):
        return TimestamptzRange(value.lower, value.upper)
    # A list of plain values is an array.
    if isinstance(value, dict) or (
        isinstance(value, list) and value and isinstance(value[0], dict)
    ):
        return Jsonb(value)
    return value


def shapes_from_wkb(wkb: Sequence[bytes | memoryview]) -> NDArray[np.object_]:
    """Geometries of a query's ``ST_AsBinary`` column, shape (n,), as they are held."""
    shapes = np.empty(len(wkb), dtype=object)
    shapes[:] = shapely.from_wkb([bytes(item) for item in wkb])
    return shapes
