"""Closures of roads as a dispatcher draws them; the next way that is asked for goes around."""

from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.session import Db, changing, desk
from data.roads import close_roads, held_closures, reopen
from data.sessions import SignedIn
from gis.crs import LocalProjection
from gis.errors import GeometryError

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/closures", tags=["incidents"])
MOST_POINTS = 2000


class NewClosure(BaseModel):
    """What is closed: a line or a polygon as GeoJSON, longitude before latitude, EPSG:4326.

    A polygon closes all roads that cross it, a line those that come within half its width.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    geometry: dict[str, Any]
    width_m: float = Field(6.0, gt=0, le=100)
    ends: AwareDatetime | None = Field(None, description="None where no end is known")
    reason: str = Field("", max_length=400)


@router.get("")
def listed(db: Db, who: Annotated[SignedIn, Depends(desk("dispatcher", "centre"))]) -> Any:
    """Closures that hold or are to come."""
    rows = held_closures(db, who.county, at=None)
    return {
        "closures": [
            {
                "id": one.id,
                "begins": one.begins,
                "ends": one.ends,
                "reason": one.reason,
                "geometry": shapely.geometry.mapping(one.geom),
            }
            for one in rows
        ],
        "crs": "EPSG:4326",
    }


@router.post("", status_code=201)
def close(
    db: Db, who: Annotated[SignedIn, Depends(changing("dispatcher"))], asked: NewClosure
) -> dict[str, int]:
    """Close roads from now on."""
    number = close_roads(
        db,
        who.scope("dispatcher"),
        _area(_shape(asked.geometry), asked.width_m),
        begins=datetime.now(UTC),
        ends=asked.ends,
        reason=asked.reason,
        author=who.login,
    )
    return {"closure": number}


@router.post("/{number}/end", status_code=204, response_class=Response)
def end(db: Db, who: Annotated[SignedIn, Depends(changing("dispatcher"))], number: int) -> None:
    """Open them again."""
    reopen(db, who.scope("dispatcher"), number, at=datetime.now(UTC))


def _area(shape: Any, width_m: float) -> Any:
    """A drawn line is never on a road to the half metre: it closes what it crosses."""
    if shape.geom_type != "LineString" or shape.is_empty or not _in_degrees(shape):
        return shape
    line = np.array([shape], dtype=object)
    local = LocalProjection.around(line)
    return local.inverse(shapely.buffer(local.forward(line), width_m / 2.0, cap_style="flat"))[0]


def _in_degrees(shape: Any) -> bool:
    west, south, east, north = shape.bounds
    return bool(-180 <= west <= east <= 180 and -90 <= south <= north <= 90)


def _shape(geometry: dict[str, Any]) -> Any:
    try:
        shape = shapely.geometry.shape(geometry)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise GeometryError(f"this is no GeoJSON geometry: {error}") from error
    if shapely.get_num_coordinates(shape) > MOST_POINTS:
        raise GeometryError(f"a closure has at most {MOST_POINTS} points")
    return shape
