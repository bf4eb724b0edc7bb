"""Ground: streets, water, railways, buildings, addresses, household units, blocks."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Place, SourceRef, geometry_column

__all__ = [
    "Address",
    "AddressVersion",
    "Block",
    "Building",
    "HouseholdUnit",
    "PlaceAlias",
    "Railway",
    "Street",
    "Water",
]


class Street(Base):
    """A street's centre line."""

    __tablename__ = "street"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(40))
    name: Mapped[str | None] = mapped_column(String(200))
    oneway: Mapped[bool]
    bridge: Mapped[bool]
    tunnel: Mapped[bool]
    geom: Mapped[Place] = geometry_column("LINESTRING")


class Railway(Base):
    """A railway's centre line."""

    __tablename__ = "railway"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(40))
    bridge: Mapped[bool]
    tunnel: Mapped[bool]
    geom: Mapped[Place] = geometry_column("LINESTRING")


class Water(Base):
    """A body of water or a watercourse."""

    __tablename__ = "water"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(40))
    name: Mapped[str | None] = mapped_column(String(200))
    geom: Mapped[Place] = geometry_column("GEOMETRY")


class Building(Base):
    """A building with its households and where that number comes from."""

    __tablename__ = "building"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        CheckConstraint("households >= 0", name="households"),
        CheckConstraint(
            "(households IS NULL) = (households_source IS NULL)"
            " AND households_source IN ('counted', 'spread', 'estimated')",
            name="households_source",
        ),
    )

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    use: Mapped[str] = mapped_column(String(40))
    name: Mapped[str | None] = mapped_column(String(200))
    levels: Mapped[int | None]
    units: Mapped[int | None]
    households: Mapped[int | None]
    households_source: Mapped[str | None] = mapped_column(String(10))
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class HouseholdUnit(Base):
    """A statistical unit with counted households; null counts are unknown, not zero."""

    __tablename__ = "household_unit"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    households: Mapped[int | None]
    population: Mapped[int | None]
    community_ref: Mapped[str | None] = mapped_column(String(200))
    town_ref: Mapped[str | None] = mapped_column(String(200))
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class Address(Base):
    """A standard address and its point; the coordinates as given are kept beside.

    `components` is the address as it is looked up; null until it has been taken apart.
    """

    __tablename__ = "address"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        Index("ix_address_building", "building_id"),
        Index("ix_address_unread", "county", postgresql_where=text("components IS NULL")),
    )

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    text: Mapped[str] = mapped_column(String(400))
    road: Mapped[str | None] = mapped_column(String(200))
    door: Mapped[str | None] = mapped_column(String(40))
    estate: Mapped[str | None] = mapped_column(String(200))
    building_no: Mapped[str | None] = mapped_column(String(40))
    building_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("building.id", ondelete="SET NULL")
    )
    components: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    raw_x: Mapped[float]
    raw_y: Mapped[float]
    raw_crs: Mapped[str] = mapped_column(String(40))
    geom: Mapped[Place] = geometry_column("POINT")


class PlaceAlias(Base):
    """Another name 俗称 that people have for a road, an estate or a village."""

    __tablename__ = "place_alias"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    alias: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(400), server_default="")


class AddressVersion(Base):
    """How often the addresses of a county have changed; a trigger counts, marks and tells."""

    __tablename__ = "address_version"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))


class Block(Base):
    """A block 地块, the smallest piece of ground; the blocks of a community are a coverage.

    A block that a published draft cut is retired: its pieces take its place, and grids of
    before still consist of it.
    """

    __tablename__ = "block"
    __table_args__ = (
        CheckConstraint("households >= 0", name="households"),
        Index("ix_block_community", "community"),
        Index("ix_block_parent", "parent_id"),
    )

    id: Mapped[BigId]
    community: Mapped[str] = mapped_column(ForeignKey("division.code"))
    zone_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("zone.id"))
    households: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("block.id"))
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    geom: Mapped[Place] = geometry_column("POLYGON")
