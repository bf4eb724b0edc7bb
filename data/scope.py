"""The area that somebody may work in; queries are narrowed by it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_

__all__ = ["Scope", "prefix_of"]


def prefix_of(division: str) -> str:
    """What the codes of everything in a division begin with.

    Parameters
    ----------
    division : str
        12-digit code of a county, town or community, or the six digits of a county.

    Examples
    --------
    >>> prefix_of("990100001000"), prefix_of("990100001002"), prefix_of("990100000000")
    ('990100001', '990100001002', '990100')
    """
    if len(division) <= 6 or division[6:] == "000000":
        return division[:6]
    return division[:9] if division[9:] == "000" else division


@dataclass(frozen=True, slots=True)
class Scope:
    """Divisions of one county.

    Attributes
    ----------
    county : str
        Six-digit code.
    prefixes : tuple of str
        What codes inside begin with; none shorter than the county, none inside another.
    """

    county: str
    prefixes: tuple[str, ...]

    @classmethod
    def whole(cls, county: str) -> "Scope":
        """The whole county."""
        return cls(county, (county,))

    @classmethod
    def of(cls, county: str, divisions: Iterable[str | None]) -> "Scope":
        """Put divisions together; None stands for the whole county.

        Examples
        --------
        >>> Scope.of("990100", ["990100001000", "990100001002", "990100002001"]).prefixes
        ('990100001', '990100002001')
        """
        found = sorted({prefix_of(one or county) for one in divisions})
        kept = [p for p in found if not any(p != q and p.startswith(q) for q in found)]
        return cls(county, tuple(p for p in kept if p.startswith(county)))

    @property
    def is_whole(self) -> bool:
        """Whether it is the county."""
        return self.county in self.prefixes

    def covers(self, code: str) -> bool:
        """Whether a division, community or grid lies inside, by its code.

        Examples
        --------
        >>> town = Scope.of("990100", ["990100001000"])
        >>> town.covers("990100001002003"), town.covers("990100001000"), town.covers("990100")
        (True, True, False)
        """
        return prefix_of(code).startswith(self.prefixes)

    def where(self, column: Any) -> ColumnElement[bool]:
        """The condition that a column's code lies inside."""
        return or_(*(column.startswith(prefix, autoescape=True) for prefix in self.prefixes))

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of ``:county`` and ``:prefixes``, for ``code ^@ ANY (:prefixes)``."""
        return {"county": self.county, "prefixes": list(self.prefixes)}
