"""Plan: generations, drafts as lists of edits, published grids, their lineage and H3 index."""

from datetime import datetime

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
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now, Place, Validity, geometry_column

__all__ = [
    "Edit",
    "Generation",
    "Grid",
    "GridBlock",
    "GridCell",
    "Lineage",
    "MicroGrid",
    "MicroGridBuilding",
]


class Generation(Base):
    """A state of the plan 版本: a draft, or published and valid for a time."""

    __tablename__ = "generation"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published', 'discarded')", name="state"),
        CheckConstraint("(state = 'published') = (valid IS NOT NULL)", name="valid"),
        ExcludeConstraint(
            ("county", "="),
            ("valid", "&&"),
            name="ex_generation_valid",
            where=text("valid IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    state: Mapped[str] = mapped_column(String(10), server_default="draft")
    base_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("generation.id"))
    author: Mapped[str] = mapped_column(String(100))
    note: Mapped[str] = mapped_column(String(400), server_default="")
    created_at: Mapped[Now]
    valid: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)


class Edit(Base):
    """One edit of a draft: an operation and its arguments, in order."""

    __tablename__ = "edit"

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[Json]
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]


class Grid(Base):
    """A published grid 网格; its polygon is the union of its blocks."""

    __tablename__ = "grid"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('urban', 'rural', 'dedicated')",
            name="kind",
        ),
        ExcludeConstraint(("code", "="), ("valid", "&&"), name="ex_grid_code_valid"),
        Index("ix_grid_county_valid", "county", "valid", postgresql_using="gist"),
        Index("ix_grid_community", "community"),
    )

    id: Mapped[BigId]
    generation_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("generation.id"))
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    community: Mapped[str] = mapped_column(ForeignKey("division.code"))
    zone_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("zone.id"))
    households: Mapped[int]
    valid: Mapped[Validity]
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class GridBlock(Base):
    """Which blocks a grid consists of."""

    __tablename__ = "grid_block"
    __table_args__ = (Index("ix_grid_block_block", "block_id"),)

    grid_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("grid.id", ondelete="CASCADE"), primary_key=True
    )
    block_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("block.id"), primary_key=True)


class MicroGrid(Base):
    """A micro-grid 微网格 inside a published grid; the grid's code and a number."""

    __tablename__ = "micro_grid"
    __table_args__ = (UniqueConstraint("grid_id", "code"),)

    id: Mapped[BigId]
    grid_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("grid.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(24))
    households: Mapped[int]
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class MicroGridBuilding(Base):
    """Which buildings a micro-grid consists of."""

    __tablename__ = "micro_grid_building"
    __table_args__ = (Index("ix_micro_grid_building_building", "building_id"),)

    micro_grid_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("micro_grid.id", ondelete="CASCADE"), primary_key=True
    )
    building_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("building.id", ondelete="CASCADE"), primary_key=True
    )


class Lineage(Base):
    """Which grid a grid's households came from at a publication."""

    __tablename__ = "lineage"

    child_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("grid.id", ondelete="CASCADE"), primary_key=True
    )
    parent_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("grid.id", ondelete="CASCADE"), primary_key=True
    )
    household_share: Mapped[float]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))


class GridCell(Base):
    """H3 index of the published plan: whole cells decide alone, boundary cells do not."""

    __tablename__ = "grid_cell"
    __table_args__ = (Index("ix_grid_cell_grid", "grid_id"),)

    cell: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    grid_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("grid.id", ondelete="CASCADE"), primary_key=True
    )
    whole: Mapped[bool]
