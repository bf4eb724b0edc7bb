"""People: persons, units, areas of service, and the responsibilities that join them."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Place, SourceRef, Validity, geometry_column

__all__ = ["Person", "Responsibility", "ServiceArea", "Unit"]


class Unit(Base):
    """A centre 网格化服务中心, police station 派出所 or department 部门 with its duty phone."""

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    duty_phone: Mapped[str] = mapped_column(String(40))
    division: Mapped[str | None] = mapped_column(ForeignKey("division.code"))
    geom: Mapped[Place | None] = geometry_column("POINT", nullable=True)


class Person(Base):
    """A person with a duty phone; a private number is held only with recorded consent."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        CheckConstraint(
            "private_phone IS NULL OR private_phone_consent_at IS NOT NULL",
            name="private_phone_consent",
        ),
        CheckConstraint("mode IN ('car', 'moped', 'foot')", name="mode"),
    )

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(30))
    mode: Mapped[str] = mapped_column(String(10))
    duty_phone: Mapped[str | None] = mapped_column(String(40))
    private_phone: Mapped[str | None] = mapped_column(String(40))
    private_phone_consent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    unit_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("unit.id"))
    # Where the person serves as the staff list names it: a community, town, or service area.
    area_ref: Mapped[str | None] = mapped_column(String(200))


class ServiceArea(Base):
    """An area of its own that need not follow grids: police beat 警格, mediation area."""

    __tablename__ = "service_area"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(30))
    name: Mapped[str] = mapped_column(String(200))
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")


class Responsibility(Base):
    """A person's responsibility for an area, with dates; A or B holder (AB岗)."""

    __tablename__ = "responsibility"
    __table_args__ = (
        CheckConstraint("holder IN ('A', 'B')", name="holder"),
        CheckConstraint(
            "num_nonnulls(grid_id, division, service_area_id) = 1",
            name="one_area",
        ),
        ExcludeConstraint(
            ("person_id", "="),
            ("role", "="),
            ("grid_id", "="),
            ("valid", "&&"),
            name="ex_responsibility_grid",
        ),
        ExcludeConstraint(
            ("person_id", "="),
            ("role", "="),
            ("division", "="),
            ("valid", "&&"),
            name="ex_responsibility_division",
        ),
        ExcludeConstraint(
            ("person_id", "="),
            ("role", "="),
            ("service_area_id", "="),
            ("valid", "&&"),
            name="ex_responsibility_service_area",
        ),
        Index("ix_responsibility_county_valid", "county", "valid", postgresql_using="gist"),
    )

    id: Mapped[BigId]
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    role: Mapped[str] = mapped_column(String(30))
    holder: Mapped[str] = mapped_column(String(1), server_default="A")
    grid_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("grid.id"))
    division: Mapped[str | None] = mapped_column(ForeignKey("division.code"))
    service_area_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("service_area.id"))
    valid: Mapped[Validity]
