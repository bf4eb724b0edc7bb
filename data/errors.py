"""What can go wrong with storage and files."""

from gis.errors import OneGridError

__all__ = [
    "ClusterError",
    "DatabaseError",
    "ExposedError",
    "NotFoundError",
    "SourceError",
    "StaleError",
    "StateError",
    "UnansweredError",
]


class ClusterError(OneGridError):
    """The private PostGIS cluster cannot be made, started or stopped."""


class DatabaseError(OneGridError):
    """The database is unreachable or lacks something (an extension, a migration)."""


class UnansweredError(DatabaseError):
    """The database does not answer: it may be starting, or not be there at all."""


class SourceError(OneGridError):
    """A file that cannot be read at all: missing, unknown format, unusable columns."""


class NotFoundError(OneGridError):
    """Something asked for by id, code or name that is not held."""


class StateError(OneGridError):
    """An operation that the present state does not allow (no plan published, already closed)."""


class UnplannedError(StateError):
    """What is asked for is a published plan's, and the county has none."""


class StaleError(OneGridError):
    """A change made on a state that is no longer the present one: load it again."""


class ExposedError(OneGridError):
    """A server that would listen beyond this machine without what that needs."""
