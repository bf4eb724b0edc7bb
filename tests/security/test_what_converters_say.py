"""Answers of converters that are small where they are written and large where they are read.

The attacks: a Parquet of a thousand bytes with one long text in a dictionary, and a GeoPackage
with a coded domain of one long word, passed the converter as dictionaries, and the program itself
wrote them out: twelve gigabytes. Collections in collections end a reader that calls itself. What
a converter says that was taken over is believed no more than a file.
"""

import io
import json
import resource
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from data.conversions.plain import LONGEST_CELL, plain_table
from data.errors import SourceError
from data.readers import read_table, read_vector
from data.readers.frames import Frames
from data.readers.source import _chunk, _plain_facts, open_source
from data.sandbox import PLAN, TABLE, ConversionError, Limits
from gis.wkb import DEEPEST, is_shallow
from tests.conftest import ROOT

SMALL = Limits(
    wall_s=30,
    cpu_s=20,
    memory_bytes=400_000_000,
    output_bytes=4_000_000,
    file_bytes=10**8,
    frame_bytes=2_000_000,
    frame_cells=20_000,
    output_cells=30_000,
)


def packed(table: pa.Table, **how: object) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**how)) as writer:
        writer.write_table(table)
    return out.getvalue()


def dictionary(rows: int, word: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([word]))


@pytest.mark.parametrize("size", [30_000, 300_000])
def test_a_dictionary_is_written_out_in_the_converter(tmp_path: Path, size: int) -> None:
    path = tmp_path / "dictionary.parquet"
    rows = 100_000
    columns = {"lon": dictionary(rows, "9" * size), "lat": pa.array(["1"] * rows)}
    pq.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = pytest.raises(SourceError, match=r"dictionary|bytes|memory")
    with open_source(path, name="d.parquet", limits=TABLE) as source, refused:
        list(source.chunks(100_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_small_dictionary_is_read_as_its_words(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.parquet"
    columns = {
        "kind": pa.array(["a", None, "b"]).dictionary_encode(),
        "run": pa.RunEndEncodedArray.from_arrays([2, 3], ["x", "y"]),
        "list": pa.array([[1, 2], None, []]),
        "number": pa.array([1, None, 3]),
        "view": pa.array(["short", "a text that is longer than a view", None], pa.string_view()),
    }
    table = pa.table(columns)
    pq.write_table(table.drop_columns(["run"]), path)
    with open_source(path, name="d.parquet", limits=TABLE) as source:
        (chunk,) = source.chunks(10)
    assert chunk.table.column("kind").to_pylist() == ["a", None, "b"]
    assert chunk.table.column("list").to_pylist() == ["[1, 2]", None, "[]"]
    plain = plain_table(table, name="x", most_bytes=10**6, shapes=None)
    assert plain.column("run").to_pylist() == ["x", "x", "y"]
    assert plain.column("view").to_pylist() == table.column("view").to_pylist()
    assert plain.schema.types == [pa.string()] * 3 + [pa.int64(), pa.string()]


@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays([1_000_000], ["x" * 1000]),
        pa.concat_arrays([pa.array(["x" * 1000], pa.string_view())] * 20_000),
        dictionary(100_000, "x" * 1000),
        pa.array(["x" * (LONGEST_CELL + 1)]),
    ],
)
def test_what_is_large_when_it_is_written_out_is_refused(column: pa.Array) -> None:
    with pytest.raises(SourceError, match="'c'"):
        plain_table(pa.table({"c": column}), name="x", most_bytes=10**7, shapes=None)


def write_gpkg(path: Path, columns: dict, kind: str) -> None:
    """One layer ``a`` of these columns, whose shapes stand in ``geom``."""
    pyogrio.write_arrow(
        pa.table(columns),
        path,
        layer="a",
        driver="GPKG",
        geometry_name="geom",
        geometry_type=kind,
        crs="EPSG:4326",
    )


def gpkg_with_domain(path: Path, *, rows: int, columns: int, size: int) -> Path:
    """Numbers of a domain whose one word is long."""
    shapes = [shapely.box(120, 30, 120.01, 30.01).wkb] * rows
    fields = {f"c{n}": pa.array([1] * rows, pa.int32()) for n in range(columns)}
    write_gpkg(path, {**fields, "geom": pa.array(shapes, pa.binary())}, "Polygon")
    with sqlite3.connect(path) as base:
        base.executescript(
            "CREATE TABLE IF NOT EXISTS gpkg_extensions(table_name TEXT, column_name TEXT,"
            " extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL);"
            "CREATE TABLE gpkg_data_columns(table_name TEXT, column_name TEXT, name TEXT,"
            " title TEXT, description TEXT, mime_type TEXT, constraint_name TEXT);"
            "CREATE TABLE gpkg_data_column_constraints(constraint_name TEXT, constraint_type TEXT,"
            " value TEXT, min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC,"
            " max_is_inclusive BOOLEAN, description TEXT);"
            "INSERT INTO gpkg_extensions VALUES('gpkg_data_columns', NULL, 'gpkg_schema', '', 'x'),"
            "('gpkg_data_column_constraints', NULL, 'gpkg_schema', '', 'read-write');"
        )
        for n in range(columns):
            row = ("a", f"c{n}", None, None, None, None, "dom")
            base.execute("INSERT INTO gpkg_data_columns VALUES(?,?,?,?,?,?,?)", row)
        for code, word in (("0", "B"), ("1", "A" * size)):
            row = ("dom", "enum", code, None, None, None, None, word)
            insert = "INSERT INTO gpkg_data_column_constraints VALUES(?,?,?,?,?,?,?,?)"
            base.execute(insert, row)
    base.close()
    return path


def test_a_coded_domain_is_written_out_in_the_converter(tmp_path: Path) -> None:
    path = gpkg_with_domain(tmp_path / "a.gpkg", rows=20, columns=2, size=9)
    rows = read_vector(path, limits=PLAN).rows
    assert rows[0]["c0"] in {"A" * 9, 1}
    path = gpkg_with_domain(tmp_path / "b.gpkg", rows=5000, columns=20, size=8000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SourceError, match=r"dictionary|MB"):
        read_vector(path, limits=PLAN)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "frame",
    [
        packed(pa.table({"c": dictionary(3, "x")})),
        packed(pa.table({"c": pa.RunEndEncodedArray.from_arrays([3], ["x"])})),
        packed(pa.table({"c": pa.array(["x"], pa.string_view())})),
        packed(pa.table({"c": pa.array([[1]])})),
        packed(pa.table({"c": pa.array([{"a": 1}])})),
        packed(pa.table({"c": pa.array(["x" * 1000] * 1000)}), compression="zstd"),
        packed(pa.table({"c": pa.array(["x" * 1000] * 1000)}), compression="lz4"),
        packed(pa.table({"c": pa.nulls(1001)})),
        packed(pa.table({f"c{n}": pa.nulls(900) for n in range(30)})),
        packed(pa.table({"c": pa.array(["x" * 3000] * 1000)})),
        packed(pa.table({"c": [1]}))[:-40],
        b"\xff\xff\xff\xff\x40\x00\x00\x00" + b"\x00" * 64,
        b"no stream",
        b"",
    ],
)
def test_no_frame_unpacks_in_the_program(frame: bytes) -> None:
    with pytest.raises(ConversionError):
        Frames(SMALL).table(frame, most_rows=1000)


def test_plain_frames_are_read_until_they_are_too_many() -> None:
    kinds = {
        "text": pa.array(["a", None, "b"]),
        "number": pa.array([1.5, None, 2]),
        "none": pa.nulls(3),
        "bytes": pa.array([b"a", None, b"b"]),
        "day": pa.array([1, 2, None], pa.date32()),
    }
    frame = packed(pa.table(kinds))
    frames = Frames(SMALL)
    assert frames.table(frame, most_rows=3).to_pylist() == pa.table(kinds).to_pylist()
    wide = packed(pa.table({f"c{n}": pa.nulls(1000) for n in range(18)}))
    frames.table(wide, most_rows=1000)
    with pytest.raises(ConversionError, match="cells"):
        frames.table(wide, most_rows=1000)
    cells = pa.table({"cells": pa.array([["a", "b"], ["c"]], pa.list_(pa.string()))})
    assert Frames(SMALL).cells(packed(cells), most_rows=2) == [["a", "b"], ["c"]]
    with pytest.raises(ConversionError):
        Frames(SMALL).cells(packed(pa.table({"cells": dictionary(2, "x")})), most_rows=2)


def test_a_wide_heading_over_short_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(20_000)) + "\n" + "1\n" * 2000)
    with pytest.raises(SourceError, match="cells"):
        read_table(path, name="wide.csv", limits=PLAN)


def nest(depth: int, kind: int = 7) -> bytes:
    point = struct.pack("<BIdd", 1, 1, 122.3, 43.5)
    return struct.pack("<BII", 1, kind, 1) * depth + point


DEPTHS = [DEEPEST + 1, 100, 5000, 12_000, 200_000]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", [4, 7, 9, 12, 1007, 0x20000007, 0x00010007])
def test_shapes_in_shapes_are_counted_before_they_are_read(depth: int, kind: int) -> None:
    assert not is_shallow(nest(depth, kind))


def test_shapes_of_every_kind_are_shallow() -> None:
    words = (
        "POINT (1 2)",
        "POINT EMPTY",
        "LINESTRING Z (0 0 1, 1 1 2)",
        "POLYGON ((0 0, 9 0, 9 9, 0 0), (3 1, 4 1, 4 2, 3 1))",
        "MULTIPOINT (0 0, 1 1)",
        "MULTILINESTRING ((0 0, 1 1), EMPTY)",
        "MULTIPOLYGON Z (((0 0 1, 9 0 1, 9 9 1, 0 0 1)), EMPTY)",
        "GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION (MULTIPOINT (1 1)), POLYGON EMPTY)",
        "GEOMETRYCOLLECTION EMPTY",
    )
    for shape in shapely.from_wkt(words):
        for how in ({"flavor": "iso"}, {"include_srid": True}, {"byte_order": 0}):
            assert is_shallow(shapely.to_wkb(shapely.set_srid(shape, 4326), **how)), shape
    assert not is_shallow(shapely.from_wkt(words[6]).wkb[:60])


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_program_reads_no_shape_that_lies_deep(depth: int) -> None:
    """In a process of its own: the attack ends it."""
    code = (
        "import sys; import pyarrow as pa; from data.readers.source import _chunk\n"
        "from tests.security.test_what_converters_say import nest\n"
        "table = pa.table({'__geometry__': pa.array([nest(int(sys.argv[1])), nest(1)])})\n"
        "shapes = _chunk({'first': 1, 'broken': {}}, table).geometry\n"
        "assert shapes[0] is None and shapes[1] is not None"
    )
    done = subprocess.run([sys.executable, "-c", code, str(depth)], cwd=ROOT, check=False)
    assert done.returncode == 0


def gpkg_with_shape(path: Path, wkb: bytes) -> Path:
    whole = shapely.GeometryCollection([shapely.Point(122.3, 43.57)]).wkb
    columns = {"name": ["a"], "geom": pa.array([whole], pa.binary())}
    write_gpkg(path, columns, "GeometryCollection")
    with sqlite3.connect(path) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE a SET geom = ?", (b"GP\x00\x01" + struct.pack("<i", 4326) + wkb,))
    base.close()
    return path


@pytest.mark.parametrize("depth", DEPTHS[1:])
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet"])
def test_files_of_shapes_in_shapes_end_as_a_refusal(
    tmp_path: Path, depth: int, suffix: str
) -> None:
    path = tmp_path / f"deep{suffix}"
    if suffix == ".gpkg":
        gpkg_with_shape(path, nest(depth))
    elif suffix == ".geojson":
        head = '{"type":"GeometryCollection","geometries":['
        shape = head * depth + '{"type":"Point","coordinates":[122.3,43.5]}' + "]}" * depth
        path.write_text(f'{{"type":"Feature","properties":{{"a":1}},"geometry":{shape}}}')
    else:
        geo = {"primary_column": "geometry", "columns": {"geometry": {"crs": "EPSG:4326"}}}
        table = pa.table({"geometry": pa.array([nest(depth)], pa.binary())})
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    try:
        with open_source(path, name="deep", limits=PLAN) as source:
            shapes = [one for chunk in source.chunks(10) for one in chunk.geometry]
    except SourceError:
        return
    assert not any(shapely.get_num_coordinates(np.array(shapes, dtype=object)))


@pytest.mark.parametrize(
    "told",
    [
        b"no json",
        b"[" * 5000,
        b"[]",
        b'{"broken": 1}',
        b'{"broken": {"x": 1}}',
        b'{"first": "x"}',
        b'{"first": 1e999}',
        b'{"fraction": []}',
    ],
)
def test_facts_that_no_converter_tells_are_refused(told: bytes) -> None:
    with pytest.raises(ConversionError):
        _plain_facts(told)


def test_a_converter_that_was_taken_over_is_refused() -> None:
    table = pa.table({"__geometry__": pa.array([bytes.fromhex("01090000000100000000")])})
    chunk = _chunk({"first": 1, "broken": {}}, table)
    assert chunk.geometry is not None
    assert chunk.geometry[0] is None
