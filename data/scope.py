"""The area that somebody may work in, and the incident classes there; queries are narrowed by it.

Rights by class hold where they were granted: classes of one area are none of another's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, or_

__all__ = ["Scope", "prefix_of", "seen_sql"]


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
    by_class : tuple of (str, str or None), or None
        What codes inside begin with, and the class that is held there (None for all); None where
        all classes are held all over.
    """

    county: str
    prefixes: tuple[str, ...]
    by_class: tuple[tuple[str, str | None], ...] | None = None

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

    @classmethod
    def of_grants(cls, county: str, grants: Iterable[tuple[str | None, str | None]]) -> "Scope":
        """Put grants together: a division and an incident class each, None for all.

        Examples
        --------
        >>> held = [("990100001001", "E01"), ("990100001002", "P01")]
        >>> mixed = Scope.of_grants("990100", held)
        >>> mixed.sees("990100001001", "E01"), mixed.sees("990100001001", "P01")
        (True, False)
        """
        given = list(grants)
        scope = cls.of(county, [division for division, _ in given])
        if all(kind is None for _, kind in given):
            return scope
        pairs = {(prefix_of(division or county), kind) for division, kind in given}
        kept = sorted(((p, k) for p, k in pairs if p.startswith(county)), key=str)
        return replace(scope, by_class=tuple(kept))

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

    @property
    def pairs(self) -> tuple[tuple[str, str | None], ...]:
        """What codes inside begin with, each with the class that is held there; None for all."""
        return self.by_class or tuple((prefix, None) for prefix in self.prefixes)

    def sees(self, community: str | None, class_code: str) -> bool:
        """Whether an incident is seen; what lies in no community is the county's."""
        return any(
            (prefix == self.county or (community or "").startswith(prefix))
            and kind in {None, class_code}
            for prefix, kind in self.pairs
        )

    def where(self, column: Any) -> ColumnElement[bool]:
        """The condition that a column's code lies inside."""
        return or_(*(column.startswith(prefix, autoescape=True) for prefix in self.prefixes))

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of ``:county`` and ``:prefixes``, for ``code ^@ ANY (:prefixes)``."""
        return {"county": self.county, "prefixes": list(self.prefixes)}

    @property
    def seen(self) -> dict[str, Any]:
        """Values of what `seen_sql` asks for."""
        areas = kinds = None
        if self.by_class is not None:
            areas = [prefix for prefix, _ in self.by_class]
            kinds = [kind for _, kind in self.by_class]
        return self.parameters | {"whole": self.is_whole, "areas": areas, "kinds": kinds}


def seen_sql(community: str, class_code: str) -> str:
    """The condition that an incident is seen, as `Scope.sees`; its values are `Scope.seen`.

    Parameters
    ----------
    community, class_code : str
        Columns of the query.
    """
    return (
        f"(:whole OR {community} ^@ ANY (:prefixes)) AND (CAST(:kinds AS text[]) IS NULL OR EXISTS "  # noqa: S608 - constants
        "(SELECT 1 FROM unnest(CAST(:areas AS text[]), CAST(:kinds AS text[])) AS held (area, kind)"
        f" WHERE (area = :county OR {community} ^@ area) AND coalesce(kind, {class_code}) = "
        f"{class_code}))"
    )
