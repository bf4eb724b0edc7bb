"""What can go wrong on the road."""

from gis.errors import OneGridError

__all__ = ["NetworkError"]


class NetworkError(OneGridError):
    """A road network that is missing, empty, or does not reach a place."""
