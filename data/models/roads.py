"""What changes on the roads: closures, speeds, and the version that tells of both."""

import uuid

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from data.models.base import Base, BigId, Now, Place, Validity, geometry_column

__all__ = ["Closure", "RoadSpeed", "RoadVersion"]

_MODES = "('car', 'moped', 'foot')"


class Closure(Base):
    """Roads that are closed for a time: all that cross an area, or those along a line.

    A line that is `one_way` closes only the direction in which it runs. Closures outlive a
    renewed extract, because they are kept as places and not as numbers of roads.
    """

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("modes <@ ARRAY['car', 'moped', 'foot'] AND modes <> '{}'", name="modes"),
        CheckConstraint("NOT isempty(valid)", name="valid"),
        CheckConstraint(
            "geometrytype(geom) IN ('POLYGON', 'MULTIPOLYGON', 'LINESTRING')", name="shape"
        ),
        Index("ix_closure_valid", "valid", postgresql_using="gist"),
    )

    id: Mapped[BigId]
    geom: Mapped[Place] = geometry_column("GEOMETRY")
    one_way: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    modes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid: Mapped[Validity]
    reason: Mapped[str] = mapped_column(String(400))
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]


class RoadSpeed(Base):
    """Measured speed on an OSM way in one direction, instead of the usual one."""

    __tablename__ = "road_speed"
    __table_args__ = (
        CheckConstraint(f"mode IN {_MODES}", name="mode"),
        CheckConstraint("kph > 0 AND kph <= 200", name="kph"),
    )

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    way: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    backward: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    mode: Mapped[str] = mapped_column(String(10), primary_key=True)
    kph: Mapped[float]
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]


class RoadVersion(Base):
    """Rises, and is marked anew, with every commit that changes closures or speeds of a county."""

    __tablename__ = "road_version"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, server_default="0")
    mark: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
