"""Tables larger than memory: read in chunks, kept in parts, written whole or not at all."""

from data.bulk.source import Chunk, Source, open_source
from data.bulk.spool import Spool
from data.bulk.target import SUFFIXES, write_refused, write_target

__all__ = ["SUFFIXES", "Chunk", "Source", "Spool", "open_source", "write_refused", "write_target"]
