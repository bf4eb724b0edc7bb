"""What can go wrong on the road."""

from gis.errors import OneGridError

__all__ = ["NetworkError", "OffNetworkError", "UnreachableError"]


class NetworkError(OneGridError):
    """A road network that is missing, empty, or cannot answer what is asked."""


class OffNetworkError(NetworkError):
    """A place with no road nearby that the mode may use."""


class UnreachableError(NetworkError):
    """Two places with no open way between them."""
