"""What can go wrong on the road, and with what is reported."""

from gis.errors import OneGridError

__all__ = [
    "DeviceError",
    "NetworkError",
    "OffNetworkError",
    "ReportError",
    "SeveralPlacesError",
    "UnreachableError",
]


class NetworkError(OneGridError):
    """A road network that is missing, empty, or cannot answer what is asked."""


class OffNetworkError(NetworkError):
    """A place with no road nearby that the mode may use."""


class UnreachableError(NetworkError):
    """Two places with no open way between them."""


class DeviceError(OneGridError):
    """A device that nobody has, or that tells what it may not."""


class ReportError(OneGridError):
    """A report that cannot be taken: no class, a time to come, too long, not a photo.

    Attributes
    ----------
    field : str
        Which part of it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class SeveralPlacesError(ReportError):
    """A report whose address may be any of several known ones."""
