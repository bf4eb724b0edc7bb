"""Plan: generations, drafts as lists of edits, published grids, their lineage and H3 index."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now, Place, Validity, geometry_column

__all__ = [
    "Checkpoint",
    "DraftBlock",
    "DraftCommunity",
    "DraftFormer",
    "DraftGrid",
    "DraftNote",
    "Edit",
    "Generation",
    "Grid",
    "GridBlock",
    "GridCell",
    "Lineage",
    "MicroGrid",
    "MicroGridBuilding",
    "ReviewStep",
]


class Generation(Base):
    """A state of the plan 版本: a draft on its way, or published and valid for a time.

    A draft's `head` is the position of the last edit that is in force; `version` counts every
    change, so that an edit made on an older state is noticed.
    """

    __tablename__ = "generation"
    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'review', 'approved', 'published', 'discarded')", name="state"
        ),
        CheckConstraint("(state = 'published') = (valid IS NOT NULL)", name="valid"),
        ExcludeConstraint(
            ("county", "="),
            ("valid", "&&"),
            name="ex_generation_valid",
            where=text("valid IS NOT NULL"),
        ),
        Index("ix_generation_county", "county", "state"),
    )

    id: Mapped[BigId]
    state: Mapped[str] = mapped_column(String(10), server_default="draft")
    base_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("generation.id"))
    author: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(200), server_default="")
    note: Mapped[str] = mapped_column(String(400), server_default="")
    # The division that the draft is about: the county's six digits, or a town's or community's.
    area: Mapped[str] = mapped_column(String(12), server_default="")
    profile: Mapped[str] = mapped_column(ForeignKey("profile.code"), server_default="tongliao")
    head: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Now]
    valid: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)


class Edit(Base):
    """One edit of a draft: an operation and its arguments, in order.

    Those beyond the draft's head were undone. One that no longer applies on a base that has
    moved is kept with the reason, and passed over.
    """

    __tablename__ = "edit"
    __table_args__ = (UniqueConstraint("id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity())
    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[Json]
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]
    conflict: Mapped[str] = mapped_column(Text, server_default="")
    conflict_rule: Mapped[str] = mapped_column(String(20), server_default="")


class Checkpoint(Base):
    """A name for a position in a draft."""

    __tablename__ = "checkpoint"

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    position: Mapped[int]
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]


class DraftCommunity(Base):
    """A community that a draft's edits touch: its grids and blocks stand in the draft's tables."""

    __tablename__ = "draft_community"

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    community: Mapped[str] = mapped_column(ForeignKey("division.code"), primary_key=True)


class DraftGrid(Base):
    """A grid as a draft's edits have it; it follows from them, tiles and reports read it."""

    __tablename__ = "draft_grid"
    __table_args__ = (Index("ix_draft_grid_community", "generation_id", "community"),)

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("division.code"))
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    zone_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("zone.id"))
    zone_kind: Mapped[str] = mapped_column(String(20), server_default="")
    zone_name: Mapped[str] = mapped_column(String(200), server_default="")
    zone_owner: Mapped[str] = mapped_column(String(200), server_default="")
    heir_of: Mapped[str] = mapped_column(String(80), server_default="")
    households: Mapped[int]
    blocks: Mapped[int]
    compactness: Mapped[float]
    walk_m: Mapped[float]
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class DraftFormer(Base):
    """A grid as a draft had it before a replay in which edits of its community did not apply."""

    __tablename__ = "draft_former"

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("division.code"))
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    households: Mapped[int]
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class DraftBlock(Base):
    """A block of a community that a draft touches, and the grid that it is in there.

    The geometry is null where it is the held block's.
    """

    __tablename__ = "draft_block"
    __table_args__ = (
        Index("ix_draft_block_grid", "generation_id", "grid_key"),
        Index("ix_draft_block_block", "block_id"),
    )

    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    block_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("block.id"))
    community: Mapped[str] = mapped_column(ForeignKey("division.code"))
    grid_key: Mapped[str] = mapped_column(String(80))
    households: Mapped[int]
    geom: Mapped[Place | None] = geometry_column("POLYGON", nullable=True)


class ReviewStep(Base):
    """A step of a draft's review: submitted, returned, approved, published; never changed."""

    __tablename__ = "review_step"
    __table_args__ = (
        CheckConstraint(
            "step IN ('submit', 'withdraw', 'return', 'approve', 'publish', 'discard')",
            name="step",
        ),
        Index("ix_review_step_generation", "generation_id"),
    )

    id: Mapped[BigId]
    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE")
    )
    step: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text, server_default="")
    actor: Mapped[str] = mapped_column(String(100))
    at: Mapped[Now]


class DraftNote(Base):
    """A comment on a draft, pinned to a place where it has one."""

    __tablename__ = "draft_note"
    __table_args__ = (Index("ix_draft_note_generation", "generation_id"),)

    id: Mapped[BigId]
    generation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("generation.id", ondelete="CASCADE")
    )
    author: Mapped[str] = mapped_column(String(100))
    at: Mapped[Now]
    words: Mapped[str] = mapped_column(Text)
    geom: Mapped[Place | None] = geometry_column("POINT", nullable=True)
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


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
    __table_args__ = (Index("ix_lineage_parent", "parent_id"),)

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
