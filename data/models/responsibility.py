"""Responsibilities: who holds which role where and when, as dated changes and as periods."""

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
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from data.models.base import Base, BigId, Now, Validity

__all__ = ["DirectoryVersion", "Membership", "Responsibility", "ResponsibilityChange"]


class _Post:
    """Who (a person or a unit), in which role, where, and for which classes of incident.

    The area is one of a grid, a micro-grid by its code, a division (community, town, county)
    or a service area of its own. A class scope is a class, a group of them, or null for all.
    """

    person_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))
    unit_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("unit.id"))
    role: Mapped[str] = mapped_column(String(30))
    grid_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("grid.id"))
    micro_grid: Mapped[str | None] = mapped_column(String(24))
    division: Mapped[str | None] = mapped_column(ForeignKey("division.code"))
    service_area_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("service_area.id"))
    class_scope: Mapped[str | None] = mapped_column(String(30))


def _checks() -> tuple[CheckConstraint, ...]:
    area = "num_nonnulls(grid_id, micro_grid, division, service_area_id) = 1"
    return (
        CheckConstraint("num_nonnulls(person_id, unit_id) = 1", name="one_holder"),
        CheckConstraint(area, name="one_area"),
    )


def _subject() -> tuple[tuple[Any, str], ...]:
    return (
        (text("coalesce(person_id, -unit_id)"), "="),
        (text("role"), "="),
        (text("coalesce(micro_grid, division, (coalesce(grid_id, -service_area_id))::text)"), "="),
        (text("coalesce(class_scope, '')"), "="),
    )


class Responsibility(_Post, Base):
    """A period in which a post is held, as A or B holder (AB岗); made from the changes."""

    __tablename__ = "responsibility"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[object, ...]:  # noqa: N805 - a class method of SQLAlchemy
        """Constraints: one state of a post at a time."""
        return (
            CheckConstraint("holder IN ('A', 'B')", name="holder"),
            *_checks(),
            ExcludeConstraint(*_subject(), ("valid", "&&"), name="ex_responsibility_post"),
            Index("ix_responsibility_county_valid", "county", "valid", postgresql_using="gist"),
            Index("ix_responsibility_grid", "grid_id"),
            Index("ix_responsibility_division", "division"),
            Index("ix_responsibility_service_area", "service_area_id"),
        )

    id: Mapped[BigId]
    holder: Mapped[str] = mapped_column(String(1), server_default="A")
    valid: Mapped[Validity]


class ResponsibilityChange(_Post, Base):
    """From a moment on a post is held as A or as B, or no longer; a trigger refuses change.

    What holds at a time is what the last change up to it says, in whatever order the changes
    were recorded.
    """

    __tablename__ = "responsibility_change"
    __table_args__ = (
        CheckConstraint("state IN ('A', 'B', 'ended')", name="state"),
        *_checks(),
        ExcludeConstraint(
            *_subject(), ("at", "="), ("state", "="), name="ex_responsibility_change_post"
        ),
    )

    id: Mapped[BigId]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(String(5))
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]


class Membership(Base):
    """A building or an address known to belong to a grid, whatever its polygon says.

    Two grids can share one footprint: then each address says which.
    """

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint("num_nonnulls(building_id, address_id) = 1", name="one_member"),
        ExcludeConstraint(
            ("building_id", "="), ("grid_id", "="), ("valid", "&&"), name="ex_membership_building"
        ),
        ExcludeConstraint(("address_id", "="), ("valid", "&&"), name="ex_membership_address"),
    )

    id: Mapped[BigId]
    building_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("building.id", ondelete="CASCADE")
    )
    address_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("address.id", ondelete="CASCADE")
    )
    grid_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("grid.id"))
    valid: Mapped[Validity]


class DirectoryVersion(Base):
    """How often what answers "who" has changed in a county; triggers keep it.

    Attributes
    ----------
    ground : int
        The plan, micro-grids, service areas and memberships.
    staff : int
        People, units, responsibilities, leave, rosters and rules.
    ground_mark, staff_mark : UUID
        Others after every change, also where a restored database goes on another way.
    """

    __tablename__ = "directory_version"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    ground: Mapped[int] = mapped_column(BigInteger, server_default="0")
    staff: Mapped[int] = mapped_column(BigInteger, server_default="0")
    ground_mark: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    staff_mark: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
