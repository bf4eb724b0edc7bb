"""The base of every OneGrid error, and the leaves that geometry needs."""

__all__ = ["ColumnsError", "CrsError", "GeometryError", "OneGridError"]


class OneGridError(Exception):
    """Base of all errors of this project: says what was wrong, where, and what to do."""


class GeometryError(OneGridError):
    """A geometry that cannot be used: broken, empty, of the wrong type or out of place."""


class CrsError(OneGridError):
    """A coordinate reference system that is missing, unknown or unfit."""


class ColumnsError(OneGridError):
    """A file of columns that cannot be read: damaged, cut off, or something else."""
