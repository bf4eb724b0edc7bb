"""Reading a file of any size in chunks, each of which a converter has read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import shapely

from data.conversions.frames import GEOMETRY
from data.conversions.reading import Chunk
from data.errors import SourceError
from data.gdal import READERS, only
from data.readers.table import read_table_frame
from data.sandbox import OWN_TABLE, Conversation, Limits, conversing
from gis.crs import SourceCrs, parse_crs

__all__ = ["OpenSource", "open_source"]

_TABLES = frozenset({".csv", ".txt", ".xlsx", ".parquet", ".pq"})


class OpenSource:
    """A file that a converter reads piece by piece; used as a context, which ends its process.

    Attributes
    ----------
    crs : SourceCrs or None
        What the file itself states.
    fraction : float
        How much of it has been read.
    """

    def __init__(self, path: Path, options: Mapping[str, Any], limits: Limits | None) -> None:
        self._path, self._options, self._limits = path, options, limits
        self._ends = ExitStack()
        self.crs: SourceCrs | None = None
        self.fraction = 0.0

    def __enter__(self) -> Self:
        """Start the converter, and hear what the file states."""
        driver = READERS.get(self._path.suffix.lower(), "")
        self._conversation: Conversation = self._ends.enter_context(
            conversing(
                "chunks",
                self._path,
                self._options,
                limits=self._limits or OWN_TABLE,
                environment={"GDAL_SKIP": only(frozenset({driver}))},
                in_place=self._limits is None,
            )
        )
        try:
            name = self._facts()["crs"]
        except BaseException:
            self._ends.close()
            raise
        # A converter that a file has taken over may say anything.
        self.crs = None if name is None else parse_crs(str(name))
        return self

    def __exit__(self, *_: object) -> None:
        """End the converter, wherever it is."""
        self._ends.close()

    def chunks(self, rows: int, skip: int = 0) -> Iterator[Chunk]:
        """Chunks of so many rows, without the first so many.

        Raises
        ------
        SourceError
            If the file ends to be readable.
        """
        self._conversation.say({"rows": rows, "skip": skip})
        while (frame := self._conversation.hear()) is not None:
            facts = json.loads(frame)
            packed = self._conversation.hear()
            if packed is None:
                raise SourceError(f"{self._options['name']} ended in the middle of a chunk")
            self.fraction = float(facts["fraction"])
            yield _chunk(facts, packed)

    def _facts(self) -> dict[str, Any]:
        frame = self._conversation.hear()
        if frame is None:
            raise SourceError(f"{self._options['name']} cannot be read")
        facts: dict[str, Any] = json.loads(frame)
        return facts


def _chunk(facts: Mapping[str, Any], packed: bytes) -> Chunk:
    table = read_table_frame(packed)
    shapes = None
    if GEOMETRY in table.column_names:
        wkb = np.array(table.column(GEOMETRY).to_pylist(), dtype=object)
        shapes = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
        table = table.drop_columns([GEOMETRY])
    broken = {int(at): str(reason) for at, reason in facts["broken"].items()}
    return Chunk(int(facts["first"]), table, shapes, broken)


def open_source(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    encoding: str | None = None,
    name: str = "",
    limits: Limits | None = None,
) -> OpenSource:
    """Open a file by its suffix.

    Parameters
    ----------
    columns : mapping, optional
        Heading in the file → name wanted.
    encoding : str, optional
        Of a CSV; told from its beginning by default (UTF-8 or GB18030).
    name : str
        What its author calls it, for messages.
    limits : Limits, optional
        Of a file that was sent: it is copied, and read by a user who has nothing else. Without
        them whoever runs the program named it: it is read where it lies, at any size.

    Raises
    ------
    SourceError
        If the file is missing, or of a kind that is not read.
    """
    called = name or str(path)
    if not path.is_file():
        raise SourceError(f"no file {called}")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in {*_TABLES, *READERS}:
        raise SourceError(f"{called} is none of {', '.join(sorted({*_TABLES, *READERS}))}")
    options = {"columns": dict(columns or {}), "encoding": encoding, "name": called}
    return OpenSource(path, options, limits)
