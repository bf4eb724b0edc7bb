"""Which of GDAL's drivers there are, in this process and in the one that reads a file.

GDAL asks every driver that it knows whether it recognises what it is given, whatever the file is
called; some of them then read other files of the machine, or ask other hosts (VRT, GDALG, WFS …).
Drivers are therefore left out before GDAL is loaded: its setting ``GDAL_SKIP`` is read once.
"""

import os

__all__ = ["READERS", "narrow", "only"]

# How a file's name ends → the one driver that reads it.
READERS = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".shp": "ESRI Shapefile",
    ".zip": "ESRI Shapefile",
}
# What the program itself writes.
_WRITERS = frozenset({"GPKG", "GeoJSON", "ESRI Shapefile", "LIBKML"})
# Drivers of vector data of GDAL 3.12; a test holds this against the GDAL that is installed.
_ALL = (
    *("ADBC", "AIVector", "AVCBin", "AVCE00", "AmigoCloud", "CSV", "CSW", "Carto", "DGN", "DXF"),
    *("EDIGEO", "EEDA", "ESRI Shapefile", "ESRIJSON", "Elasticsearch", "FlatGeobuf", "GDALG"),
    *("GML", "GPKG", "GPSBabel", "GPX", "GTFS", "GeoJSON", "GeoJSONSeq", "GeoRSS", "HTTP"),
    *("Idrisi", "JML", "JSONFG", "KML", "LIBKML", "LVBAG", "MBTiles", "MEM", "MVT", "MapInfo File"),
    *("MapML", "MiraMonVector", "NGW", "OAPIF", "ODS", "OGCAPI", "OGR_GMT", "OGR_PDS", "OGR_VRT"),
    *("OSM", "OpenFileGDB", "PCIDSK", "PDF", "PDS4", "PGDUMP", "PLSCENES", "PMTiles", "S57"),
    *("SQLite", "SXF", "Selafin", "TopoJSON", "VDV", "VFK", "VICAR", "WAsP", "WFS", "XLSX"),
)


def only(drivers: frozenset[str]) -> str:
    """The setting that leaves out all other drivers."""
    return ",".join(name for name in dict.fromkeys(_ALL) if name not in drivers)


def narrow() -> None:
    """Leave this process what it writes itself; a converter was told what it reads."""
    os.environ.setdefault("GDAL_SKIP", only(_WRITERS))
