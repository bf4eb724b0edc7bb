"""Hostile files: each kind made small, from a seed, as a stranger would send it."""

import io
import sqlite3
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = [
    "gpkg_with_recursive_view",
    "jpeg_with_scans",
    "png_that_unpacks",
    "vrt",
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
