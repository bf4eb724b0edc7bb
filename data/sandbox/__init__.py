"""Converters run apart: strangers' files are read, and papers made, in a process that may die.

`convert` runs one task and returns its bytes, `conversing` exchanges frames with one that reads
a long file piece by piece. The process has a user of its own where the program is root, bounds
of time, memory, output and open files, sees no file but its own folder and the program's
libraries, and has no network (`confine`).
"""

from data.sandbox.process import (
    OWN_TABLE,
    PAPER,
    PHOTO,
    PLAN,
    TABLE,
    Conversation,
    ConversionError,
    Limits,
    conversing,
    convert,
    protection,
    remove_left_folders,
    work_folder,
)

__all__ = [
    "OWN_TABLE",
    "PAPER",
    "PHOTO",
    "PLAN",
    "TABLE",
    "Conversation",
    "ConversionError",
    "Limits",
    "conversing",
    "convert",
    "protection",
    "remove_left_folders",
    "work_folder",
]
