"""Tables larger than memory: read in chunks, kept in parts, written whole or not at all."""

from data.bulk.spool import Spool
from data.bulk.target import SUFFIXES, write_refused, write_target
from data.conversions.reading import Chunk
from data.readers.source import OpenSource, open_source

__all__ = [
    "SUFFIXES",
    "Chunk",
    "OpenSource",
    "Spool",
    "open_source",
    "write_refused",
    "write_target",
]
