"""Work done so far, in parts beside the output: interrupted, it goes on where it stopped."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import SourceError

__all__ = ["Part", "Spool", "refusals"]

_FACTS = "about.json"
# A reason may repeat what stands in a cell.
_LONGEST_REASON = 300
_REFUSED = pa.schema([("row", pa.int64()), ("reason", pa.string())])


@dataclass(frozen=True, slots=True)
class Part:
    """One finished chunk: where its rows are, and the rows that were refused."""

    placed: Path
    refused: Path


class Spool:
    """A folder of parts beside an output.

    Parameters
    ----------
    target : Path
        The output; the folder is called after it.
    about : dict
        What the parts depend on, as JSON takes it: others are thrown away.
    """

    def __init__(self, target: Path, about: dict[str, Any]) -> None:
        self.folder = _folder(target)
        depends = json.loads(json.dumps(about))
        if self.about(target) != depends:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            (self.folder / _FACTS).write_text(json.dumps(depends), encoding="utf-8")
        # Looked up once: a billion rows are ten thousand parts.
        self._count = next(n for n in count() if not self._part(n).placed.exists())

    @staticmethod
    def about(target: Path) -> dict[str, Any]:
        """What the parts of an output depend on; empty where there are none."""
        try:
            held = json.loads((_folder(target) / _FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def __len__(self) -> int:
        """How many parts are finished, without a gap."""
        return self._count

    def add(self, placed: pa.Table, refused: pa.Table) -> None:
        """Finish the next part; it is there whole or not at all."""
        part = self._part(len(self))
        _write(refused, part.refused)
        _write(placed, part.placed)
        self._count += 1

    def parts(self) -> Iterator[Part]:
        """The finished parts in order."""
        for number in range(len(self)):
            yield self._part(number)

    def counts(self) -> tuple[int, int]:
        """How many rows were placed and refused."""
        placed = sum(pq.read_metadata(part.placed).num_rows for part in self.parts())
        refused = sum(pq.read_metadata(part.refused).num_rows for part in self.parts())
        return placed, refused

    def count(self, column: str, value: str) -> int:
        """How many placed rows have a value in a column."""
        return sum(
            pq.read_table(part.placed, columns=[column]).column(column).to_pylist().count(value)
            for part in self.parts()
        )

    def first_refusal(self) -> str:
        """Why the first refused row was refused; empty where none was."""
        for part in self.parts():
            table = pq.read_table(part.refused, columns=list(_REFUSED.names))
            if len(table):
                return f"row {table['row'][0]}: {table['reason'][0]}"
        return ""

    def remove(self) -> None:
        """Throw the parts away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, number: int) -> Part:
        name = f"{number:06d}"
        return Part(self.folder / f"{name}.parquet", self.folder / f"{name}.refused.parquet")


def _folder(target: Path) -> Path:
    return target.with_name(f"{target.name}.parts")


def _write(table: pa.Table, path: Path) -> None:
    partial = path.with_suffix(".part")
    try:
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SourceError(
            f"{path.parent.parent} has no room left ({error.strerror or error}): make room and run "
            f"the same command again, it goes on after part {path.stem}; or choose another --output"
        ) from error


def refusals(rows: list[int], reasons: list[str], table: pa.Table) -> pa.Table:
    """A table of refused rows: row, reason, then the row's own columns."""
    own = [name for name in table.column_names if name not in _REFUSED.names]
    short = [reason[:_LONGEST_REASON] for reason in reasons]
    columns = [pa.array(rows, pa.int64()), pa.array(short, pa.string())]
    return pa.table([*columns, *(table.column(name) for name in own)], [*_REFUSED.names, *own])
