"""Readers of files: OSM extracts, vector files, tables; they read, and judge nothing."""

from data.readers.osm import OsmExtract, read_osm
from data.readers.table import SourceTable, read_table
from data.readers.vector import read_vector

__all__ = ["OsmExtract", "SourceTable", "read_osm", "read_table", "read_vector"]
