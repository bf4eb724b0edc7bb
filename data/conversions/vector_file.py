"""The file that GDAL may open: of a known kind, tables only, of a zipped Shapefile its parts."""

import shutil
import sqlite3
import zipfile
from pathlib import Path, PurePosixPath

from data.errors import SourceError
from data.gdal import READERS

__all__ = ["vector_file"]

_VIEWS = "SELECT name FROM sqlite_master WHERE type = 'view' LIMIT 1"
_PARTS = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx"})
_MOST_BYTES = 900 * 2**20
_MOST_MEMBERS = 1000
# The upper half of a member's attributes is a file's mode on Unix; 0o120000 is a link.
_KIND, _LINK = 0o170000, 0o120000


def vector_file(path: Path, name: str) -> Path:
    """The file to open: the one given, or what a ZIP holds, unpacked in the present folder.

    Raises
    ------
    SourceError
        If no driver is named for its suffix, a GeoPackage holds a view, or a ZIP holds no
        Shapefile, several, a link, or more than is unpacked.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise SourceError(f"{name} is none of {', '.join(READERS)}: no other vector file is read")
    if suffix == ".gpkg":
        _require_tables(path, name)
    return path if suffix != ".zip" else _unpacked(path, name)


def _require_tables(path: Path, name: str) -> None:
    """Refuse what is a query: one that never ends holds a reader until its time is over."""
    try:
        base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            views = [view for (view,) in base.execute(_VIEWS)]
        finally:
            base.close()
    except sqlite3.Error as error:
        raise SourceError(f"{name} is no GeoPackage: {error}") from error
    if views:
        raise SourceError(
            f"{name} holds a view, {views[0]!r}: export the layer as a table of its own"
        )


def _unpacked(path: Path, name: str) -> Path:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, name)
            for member in members:
                # Under a name of our own: what a member is called leads nowhere.
                target = Path(f"layer{PurePosixPath(member.filename).suffix.lower()}")
                with archive.open(member) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise SourceError(f"{name} cannot be unpacked: {error}") from error
    return Path("layer.shp")


def _members(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise SourceError(f"{name} holds more than {_MOST_MEMBERS} files")
    if any((member.external_attr >> 16) & _KIND == _LINK for member in members):
        raise SourceError(f"{name} holds a symbolic link: pack the files themselves")
    layers = [one for one in members if PurePosixPath(one.filename).suffix.lower() == ".shp"]
    if len(layers) != 1:
        raise SourceError(f"{name} holds {len(layers)} Shapefiles: it must hold one")
    stem = str(PurePosixPath(layers[0].filename).with_suffix(""))
    parts = [
        one
        for one in members
        if PurePosixPath(one.filename).suffix.lower() in _PARTS
        and str(PurePosixPath(one.filename).with_suffix("")) == stem
    ]
    if not any(PurePosixPath(one.filename).suffix.lower() == ".shx" for one in parts):
        raise SourceError(f"{name} holds no .shx: pack all parts of the Shapefile")
    if sum(one.file_size for one in parts) > _MOST_BYTES:
        raise SourceError(f"{name} unpacks to more than {_MOST_BYTES / 1e6:.0f} MB")
    return parts
