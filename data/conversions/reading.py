"""Reading CSV, XLSX, Parquet and vector files in chunks at flat memory, in a converter.

What is read comes from strangers: the rest of the program asks `data.readers.source`.
"""

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from numpy.typing import NDArray

from data.conversions.cells import rows_of_workbook
from data.conversions.headings import distinct
from data.conversions.plain import LONGEST_CELL
from data.conversions.vector_file import vector_file
from data.errors import SourceError
from data.gdal import READERS
from gis.crs import SourceCrs, parse_crs
from gis.wkb import shallow

__all__ = ["Chunk", "Source", "read_source"]

# Enough of a file to tell UTF-8 from GB18030.
_SNIFF = 1 << 22
# GeoParquet says so in the metadata of its schema.
_GEO = b"geo"
# Rows between two looks at how far a text file has been read.
_TELL = 1000
# Bytes read at once of a column of a Parquet file: else whole columns of a group are held, packed.
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a source, in order.

    Attributes
    ----------
    first : int
        Number of the first row; 1 is the first of the source.
    table : pyarrow.Table
        The attributes; those of text files are strings as they stand.
    geometry : ndarray of shapely geometries, shape (n,), or None
        None for a plain table.
    broken : dict of int to str
        Position in the chunk → why the row cannot be read; its cells are what could be.
    """

    first: int
    table: pa.Table
    geometry: NDArray[np.object_] | None = None
    broken: dict[int, str] = field(default_factory=dict)


class Source(Protocol):
    """A file that is read in chunks.

    Attributes
    ----------
    crs : SourceCrs or None
        What the file itself states.
    fraction : float
        How much of it has been read.
    """

    crs: SourceCrs | None
    fraction: float

    def chunks(self, rows: int, skip: int = 0) -> Iterator[Chunk]:
        """Chunks of so many rows, without the first so many."""
        ...


def read_source(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    encoding: str | None = None,
    name: str = "",
) -> Source:
    """Open a file by its suffix.

    Parameters
    ----------
    columns : mapping, optional
        Heading in the file → name wanted.
    encoding : str, optional
        Of a CSV; told from its beginning by default (UTF-8 or GB18030).
    name : str
        What its author calls it, for messages.

    Raises
    ------
    SourceError
        If the file is missing or cannot be read.
    """
    names, called = dict(columns or {}), name or str(path)
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in {"csv", "txt"}:
        return _Text(path, names, called, encoding)
    if suffix == "xlsx":
        return _Workbook(path, names, called)
    if suffix in {"parquet", "pq"}:
        return _Parquet(path, names, called)
    return _Vector(path, names, called)


class _Lines:
    """Rows of cells under one heading row."""

    crs: SourceCrs | None = None

    def __init__(self, path: Path, columns: dict[str, str], name: str) -> None:
        self._path, self._columns, self._name = path, columns, name
        self.fraction = 0.0

    def _rows(self) -> Iterator[list[str]]:
        raise NotImplementedError

    def chunks(self, rows: int, skip: int = 0) -> Iterator[Chunk]:
        """Chunks of so many rows, without the first so many."""
        lines = self._rows()
        first = [cell.strip() for cell in next(lines, [])]
        if not any(first):
            raise SourceError(f"{self._name} has no heading row")
        names = distinct([self._columns.get(name, name) for name in first])
        filled = islice((line for line in lines if any(line)), skip, None)
        number = skip + 1
        while lot := list(islice(filled, rows)):
            yield _of_lines(number, names, lot)
            number += len(lot)
        self.fraction = 1.0


def _of_lines(first: int, names: list[str], lot: list[list[str]]) -> Chunk:
    width = len(names)
    broken = {
        at: f"the row has {len(line)} cells, the heading has {width}"
        for at, line in enumerate(lot)
        if len(line) != width and any(line[width:])
    }
    even = [line if len(line) == width else [*line, *[""] * width][:width] for line in lot]
    columns = [pa.array(column, pa.string()) for column in zip(*even, strict=True)]
    return Chunk(first, pa.table(columns, names), None, broken)


class _Text(_Lines):
    """A CSV, plain or gzipped."""

    def __init__(
        self, path: Path, columns: dict[str, str], name: str, encoding: str | None
    ) -> None:
        super().__init__(path, columns, name)
        self._encoding = encoding or _encoding_of(path, name)

    def _rows(self) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST_CELL)
        size = max(self._path.stat().st_size, 1)
        with self._path.open("rb") as raw:
            packed = self._path.suffix == ".gz"
            plain = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
            text = io.TextIOWrapper(plain, self._encoding, newline="")
            try:
                for number, line in enumerate(csv.reader(text)):
                    if number % _TELL == 0:
                        self.fraction = raw.tell() / size
                    yield line
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{self._name} is not {self._encoding} after {raw.tell()} bytes: "
                    "say which it is with --encoding"
                ) from error
            except (gzip.BadGzipFile, EOFError) as error:
                raise SourceError(f"{self._name} is no gzip file: {error}") from error
            except csv.Error as error:
                raise SourceError(f"{self._name} is no CSV: {error}") from error


def _encoding_of(path: Path, name: str) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            beginning = file.read(_SNIFF)
    except (gzip.BadGzipFile, EOFError) as error:
        raise SourceError(f"{name} is no gzip file: {error}") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            # A character may be cut off at the end of what was read.
            decoder = codecs.getincrementaldecoder(encoding)()
            decoder.decode(beginning, final=len(beginning) < _SNIFF)
        except UnicodeDecodeError:
            continue
        return encoding
    raise SourceError(f"{name} is neither UTF-8 nor GB18030")


class _Workbook(_Lines):
    """The first sheet of an XLSX."""

    def _rows(self) -> Iterator[list[str]]:
        return rows_of_workbook(self._path, self._name)


class _Parquet:
    """A Parquet file; the geometry of a GeoParquet is told from its metadata."""

    def __init__(self, path: Path, columns: dict[str, str], name: str) -> None:
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"{name} is no Parquet file: {error}") from error
        self._columns = columns
        self._geometry, self.crs = _geo_of(self._file.schema_arrow)
        self.fraction = 0.0

    def chunks(self, rows: int, skip: int = 0) -> Iterator[Chunk]:
        """Chunks of so many rows, without the first so many."""
        total = max(self._file.metadata.num_rows, 1)
        batches = self._file.iter_batches(batch_size=rows, use_threads=False)
        for number, table in _even(batches, rows, skip):
            self.fraction = min((number + len(table)) / total, 1.0)
            yield _of_table(number + 1, table, self._geometry, self._columns)


def _geo_of(schema: pa.Schema) -> tuple[str | None, SourceCrs | None]:
    held = (schema.metadata or {}).get(_GEO)
    if held is None:
        return None, None
    facts = json.loads(held)
    name = facts["primary_column"]
    crs = facts["columns"][name].get("crs", "EPSG:4326")
    if isinstance(crs, dict):
        named = crs.get("id")
        if isinstance(named, dict):
            crs = f"{named.get('authority')}:{named.get('code')}"
            crs = "EPSG:4326" if crs == "OGC:CRS84" else crs
        else:
            crs = json.dumps(crs)
    return name, None if crs is None else parse_crs(crs)


def _short(error: Exception) -> str:
    """What GDAL says, without its advice to name another driver."""
    return str(error).partition(";")[0]


class _Vector:
    """The first layer of a file that one named driver of GDAL reads."""

    def __init__(self, path: Path, columns: dict[str, str], name: str) -> None:
        self._source = vector_file(path, name)
        self._columns, self._name = columns, name
        try:
            info = pyogrio.read_info(self._source, force_feature_count=True)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            driver = READERS[path.suffix.lower()]
            raise SourceError(f"{name} is no {driver} file: {_short(error)}") from error
        self._total = max(int(info["features"]), 1)
        self.crs = parse_crs(info["crs"]) if info["crs"] else None
        self.fraction = 0.0

    def chunks(self, rows: int, skip: int = 0) -> Iterator[Chunk]:
        """Chunks of so many rows, without the first so many."""
        try:
            yield from self._read(rows, skip)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            raise SourceError(
                f"{self._name} holds text in another encoding than it says (UTF-8 where it says "
                "none): put a .cpg beside a Shapefile that names it, such as GBK"
            ) from error

    def _read(self, rows: int, skip: int) -> Iterator[Chunk]:
        read = skip
        try:
            for chunk in self._arrow_chunks(rows, skip):
                read += rows
                yield chunk
        except NotImplementedError:  # arcs: GDAL follows them by lines where rows are asked for
            yield from self._line_chunks(rows, read)

    def _line_chunks(self, rows: int, read: int) -> Iterator[Chunk]:
        while read < self._total:
            meta, _, wkb, values = pyogrio.raw.read(
                self._source, skip_features=read, max_features=rows
            )
            names = distinct([self._columns.get(name, name) for name in meta["fields"]])
            columns = [pa.array(column, from_pandas=True) for column in values]
            shapes = _shapes(wkb)
            self.fraction = min((read + len(shapes)) / self._total, 1.0)
            yield Chunk(read + 1, pa.table(columns, names), shapes)
            read += rows

    def _arrow_chunks(self, rows: int, skip: int) -> Iterator[Chunk]:
        with pyogrio.open_arrow(self._source, batch_size=rows, use_pyarrow=True) as (meta, reader):
            geometry = meta["geometry_name"] or "wkb_geometry"
            for number, table in _even(reader, rows, skip):
                # Bytes that are no text would be refused by whoever reads them next.
                table.validate(full=True)
                self.fraction = min((number + len(table)) / self._total, 1.0)
                yield _of_table(number + 1, table, geometry, self._columns)


def _even(batches: Any, rows: int, skip: int) -> Iterator[tuple[int, pa.Table]]:
    """Tables of exactly so many rows (the last has fewer), with how many came before."""
    number = seen = 0
    waiting: list[pa.Table] = []
    held = 0
    for batch in batches:
        table = pa.Table.from_batches([batch])
        if seen < skip:
            cut = min(skip - seen, len(table))
            seen, number = seen + cut, number + cut
            table = table.slice(cut)
        waiting.append(table)
        held += len(table)
        while held >= rows:
            whole = pa.concat_tables(waiting)
            yield number, whole.slice(0, rows)
            number, held = number + rows, held - rows
            waiting = [whole.slice(rows)]
    if held:
        yield number, pa.concat_tables(waiting)


def _shapes(wkb: NDArray[np.object_]) -> NDArray[np.object_]:
    """Shapes of WKB; None for what is none, or lies too deep in others."""
    plain = np.array(shallow(wkb.tolist()), dtype=object)
    return np.asarray(shapely.from_wkb(plain, on_invalid="ignore"), dtype=object)


def _of_table(first: int, table: pa.Table, geometry: str | None, columns: dict[str, str]) -> Chunk:
    shapes = None
    if geometry is not None and geometry in table.column_names:
        column = table.column(geometry)
        if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
            raise SourceError(f"the shapes in column {geometry[:100]!r} are no WKB")
        shapes = _shapes(column.to_numpy())
        table = table.drop_columns([geometry])
    names = distinct([columns.get(name, name) for name in table.column_names])
    return Chunk(first, table.rename_columns(names), shapes)
