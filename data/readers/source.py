"""Reading a file of any size in chunks, each of which a converter has read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import shapely

from data.conversions.frames import GEOMETRY
from data.conversions.reading import Chunk
from data.errors import SourceError
from data.gdal import READERS, only
from data.readers.frames import Frames
from data.sandbox import OWN_TABLE, Conversation, ConversionError, Limits, conversing
from gis.crs import SourceCrs, parse_crs
from gis.wkb import shallow

__all__ = ["OpenSource", "open_source"]

# What a converter tells of a file, and of each row that it cannot read.
_FACTS_BYTES, _FACTS_OF_ROW = 65536, 200
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
        self._path, self._options, self._limits = path, options, limits or OWN_TABLE
        self._in_place = limits is None
        self._frames = Frames(self._limits)
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
                limits=self._limits,
                environment={"GDAL_SKIP": only(frozenset({driver}))},
                in_place=self._in_place,
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
        most = self._limits.frame_bytes
        self._conversation.say({"rows": rows, "skip": skip, "most_bytes": most})
        told = _FACTS_BYTES + rows * _FACTS_OF_ROW
        while (frame := self._conversation.hear(most_bytes=told)) is not None:
            facts = _plain_facts(frame)
            packed = self._conversation.hear()
            if packed is None:
                raise SourceError(f"{self._options['name']} ended in the middle of a chunk")
            self.fraction = facts["fraction"]
            yield _chunk(facts, self._frames.table(packed, most_rows=rows))

    def _facts(self) -> dict[str, Any]:
        frame = self._conversation.hear(most_bytes=_FACTS_BYTES)
        if frame is None:
            raise SourceError(f"{self._options['name']} cannot be read")
        return _plain_facts(frame)


def _plain_facts(frame: bytes) -> dict[str, Any]:
    """What a converter tells; one that was taken over tells what it likes."""
    try:
        facts: dict[str, Any] = json.loads(frame)
        broken = {int(at): str(reason) for at, reason in facts.get("broken", {}).items()}
        first, fraction = int(facts.get("first", 1)), float(facts.get("fraction", 0))
        return facts | {"broken": broken, "first": first, "fraction": fraction}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ConversionError("what was told of it is nothing that a converter tells") from error


def _chunk(facts: Mapping[str, Any], table: pa.Table) -> Chunk:
    shapes = None
    if GEOMETRY in table.column_names:
        wkb = np.array(shallow(table.column(GEOMETRY).to_pylist()), dtype=object)
        try:
            shapes = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
        except (NotImplementedError, TypeError) as error:
            raise ConversionError("what was read are no shapes") from error
        table = table.drop_columns([GEOMETRY])
    return Chunk(facts["first"], table, shapes, facts["broken"])


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
