"""Hostile files: each kind made small, from a seed, as a stranger would send it."""

import gzip
import io
import sqlite3
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = [
    "broken_parquet",
    "cut_gpkg",
    "deep_geojson",
    "gpkg_with_recursive_view",
    "jpeg_of_size",
    "jpeg_with_scans",
    "laughing_workbook",
    "long_geojson",
    "nested_zip",
    "packed_csv",
    "png_that_unpacks",
    "polyglot",
    "vrt",
    "wide_csv",
    "workbook_that_unpacks",
    "zip_with_link",
]


def vrt(source: str) -> str:
    """A virtual format that names another file, in a text that begins as GeoJSON does."""
    layer = (
        "<OGRVRTDataSource><OGRVRTLayer name='stolen'>"
        f"<SrcDataSource>{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    return "{" + layer


def gpkg_with_recursive_view(path: Path) -> Path:
    """A GeoPackage whose layer is a view that never ends."""
    import geopandas  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
    frame.to_file(path, layer="plain")
    with sqlite3.connect(path) as base:
        base.execute(
            "CREATE VIEW endless AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
            " SELECT x AS fid, (SELECT geom FROM plain) AS geom FROM n"
        )
        base.execute("UPDATE gpkg_contents SET table_name = 'endless' WHERE table_name = 'plain'")
        base.execute("UPDATE gpkg_geometry_columns SET table_name = 'endless'")
    base.close()
    return path


def jpeg_with_scans(scans: int, side: int = 400) -> bytes:
    """A progressive JPEG whose last scan stands there many times."""
    rng = np.random.default_rng(1)
    picture = io.BytesIO()
    pixels = rng.integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture, "JPEG", progressive=True, quality=20)
    content = picture.getvalue()
    last = content.rfind(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def png_that_unpacks(width: int, height: int) -> bytes:
    """A PNG of one colour: small on the wire, large in memory."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    packer = zlib.compressobj(9)
    row = b"\0" + b"\0" * (width * 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def workbook_that_unpacks(megabytes: int) -> bytes:
    """A workbook with one row whose cells unpack to so much."""
    import openpyxl  # noqa: PLC0415

    book, plain = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["lon", "lat"])
    book.save(plain)
    packed = io.BytesIO()
    sheet = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != sheet:
                new.writestr(name, old.read(name))
        cells = f'<c t="inlineStr"><is><t>{"x" * 1000}</t></is></c>' * 1000
        with new.open(sheet, "w", force_zip64=True) as target:
            head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            target.write(f"{head}<sheetData><row>".encode())
            for _ in range(megabytes):
                target.write(cells.encode())
            target.write(b"</row></sheetData></worksheet>")
    return packed.getvalue()


def zip_with_link(path: Path, leads_to: str) -> Path:
    """A zipped Shapefile one of whose parts is a symbolic link."""
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("layer.dbf")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, leads_to)
        archive.writestr("layer.shp", b"\0" * 100)
    return path


def jpeg_of_size(megabytes: int) -> bytes:
    """A progressive JPEG with a thousand scans, filled up to so much."""
    content = jpeg_with_scans(1000, side=96)
    room = megabytes * 1_000_000 - len(content)
    # Comments of the format: read over by whoever reads it.
    comment = b"\xff\xfe" + struct.pack(">H", 65535) + b"c" * 65533
    return content[:2] + comment * max(room // len(comment), 0) + content[2:]


def packed_csv(megabytes: int) -> bytes:
    """A gzipped table of one line that unpacks to so much."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packed:
        packed.write(b"lon,lat\n")
        for _ in range(megabytes):
            packed.write(b"1" * 1_000_000)
    return out.getvalue()


def wide_csv(columns: int) -> bytes:
    """A table whose heading has so many columns."""
    return (",".join(f"c{n}" for n in range(columns)) + "\n" + "1," * columns + "\n").encode()


def deep_geojson(depth: int) -> bytes:
    """Arrays in arrays."""
    return b'{"type": "FeatureCollection", "features": ' + b"[" * depth + b"]" * depth + b"}"


def long_geojson(points: int) -> bytes:
    """One line of so many points, in numbers that no place has."""
    line = ",".join("[1e308,-1e308]" for _ in range(points))
    return (
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":'
        f'{{"type":"LineString","coordinates":[{line}]}}}}]}}'
    ).encode()


def nested_zip(depth: int) -> bytes:
    """Archives in archives, around a layer that is none."""
    content, name = b"\0" * 10_000_000, "layer.shp"
    for _ in range(depth):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        content, name = out.getvalue(), "inner.zip"
    return content


def polyglot() -> bytes:
    """A picture, an archive and a page with a script at once."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "GIF")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("layer.shp", b"\0" * 100)
    return picture.getvalue() + b"<script>alert(1)</script>" + out.getvalue()


def laughing_workbook() -> bytes:
    """A workbook whose words are entities of entities (a billion laughs)."""
    import openpyxl  # noqa: PLC0415

    book, plain = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["lon"])
    book.save(plain)
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    sheet = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<sheetData><row><c t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData></worksheet>'
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            is_sheet = name == "xl/worksheets/sheet1.xml"
            new.writestr(name, sheet if is_sheet else old.read(name))
    return packed.getvalue()


def broken_parquet() -> bytes:
    """A footer that says it is longer than everything."""
    return b"PAR1" + b"\xff" * 2000 + struct.pack("<I", 0x7FFFFFFF) + b"PAR1"


def cut_gpkg() -> bytes:
    """The first page of a database whose header promises more."""
    head = b"SQLite format 3\0" + struct.pack(
        ">HBBBBBBIIII", 4096, 1, 1, 0, 64, 32, 32, 1, 2**31 - 1, 0, 0
    )
    return head + b"\xff" * 5000
