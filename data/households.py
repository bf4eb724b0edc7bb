"""Households on buildings: counted where the source says, spread from units, or estimated."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from gis.apportion import largest_remainder

__all__ = ["RESIDENTIAL_USES", "SpreadReport", "spread_households"]

RESIDENTIAL_USES = (
    "apartments",
    "bungalow",
    "detached",
    "dormitory",
    "farm",
    "house",
    "residential",
    "semidetached_house",
    "terrace",
    "yes",
)
# Gross floor area behind one household where nothing is counted [mem, editable default].
ESTIMATE_M2 = 110.0

_BUILDINGS = text(
    """
    SELECT building.id, building.source_ref, households, households_source,
           ST_Area(building.geom::geography) * coalesce(levels, 2) AS floor_m2,
           use = ANY(:uses) AS residential,
           (SELECT unit.id FROM household_unit AS unit WHERE unit.county = building.county
            AND ST_Covers(unit.geom, ST_PointOnSurface(building.geom))
            ORDER BY unit.id LIMIT 1) AS unit_id
    FROM building WHERE county = :county ORDER BY building.id
    """
)
_UNITS = text("SELECT id, households FROM household_unit WHERE county = :county ORDER BY id")
_STORE = text(
    "UPDATE building SET households = :households, households_source = :source WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class SpreadReport:
    """How many households lie on buildings, by where the number comes from."""

    spread: int
    estimated: int
    left_on_units: int

    def summary(self) -> str:
        """One line for people."""
        return (
            f"households on buildings: {self.spread} spread from units, "
            f"{self.estimated} estimated; "
            f"{self.left_on_units} stay on units without dwellings"
        )


def spread_households(session: Session, county: str) -> SpreadReport:
    """Give every residential building its households.

    Counted buildings keep theirs. A unit's count is spread over the dwellings inside by
    floor area × levels, its sum kept exactly; a unit without dwellings keeps its own.
    Outside all units the number is estimated from floor area.
    """
    found = session.execute(_BUILDINGS, {"county": county, "uses": list(RESIDENTIAL_USES)})
    buildings = pd.DataFrame(found.all(), columns=list(found.keys()))
    units: dict[int, int | None] = dict(session.execute(_UNITS, {"county": county}).all())
    free = buildings[buildings["households_source"].ne("counted") & buildings["residential"]]
    values: list[dict[str, object]] = []
    spread = 0
    placed: set[int] = set()
    counted = buildings[buildings["households_source"].eq("counted")]
    taken = counted.groupby("unit_id")["households"].sum()
    for key, inside in free.groupby("unit_id"):
        unit_id = int(str(key).removesuffix(".0"))
        count = units[unit_id]
        if count is None:
            continue
        count = max(count - int(taken.get(float(unit_id), 0)), 0)
        shares = largest_remainder(count, inside["floor_m2"].to_numpy(float))
        values += _rows(inside["id"].to_numpy(np.int64), shares, "spread")
        spread += count
        placed.add(unit_id)
    outside = free[free["unit_id"].isna()]
    guesses: NDArray[np.int64] = np.rint(outside["floor_m2"].to_numpy(float) / ESTIMATE_M2).astype(
        np.int64
    )
    if not units:
        guesses = np.maximum(guesses, 1)
    values += _rows(outside["id"].to_numpy(np.int64), guesses, "estimated")
    if values:
        session.execute(_STORE, values)
    left = sum(count or 0 for unit_id, count in units.items() if unit_id not in placed)
    return SpreadReport(spread, int(guesses.sum()), left)


def _rows(
    ids: NDArray[np.int64], shares: NDArray[np.int64], source: str
) -> list[dict[str, object]]:
    pairs = zip(ids.tolist(), shares.tolist(), strict=True)
    return [{"id": i, "households": n, "source": source} for i, n in pairs]
