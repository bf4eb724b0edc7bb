"""People: persons, units, areas of service; who is away, and who is on duty."""

from datetime import datetime, time

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Place, SourceRef, Validity, geometry_column

__all__ = ["DutyRoster", "Leave", "Person", "ServiceArea", "Unit", "Weekdays"]

# ISO days of the week, 1 for Monday; null for every day.
Weekdays = Mapped[list[int] | None]


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
    """A person with a duty phone; private number and photo are held only with recorded consent."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        CheckConstraint(
            "private_phone IS NULL OR private_phone_consent_at IS NOT NULL",
            name="private_phone_consent",
        ),
        CheckConstraint("photo IS NULL OR photo_consent_at IS NOT NULL", name="photo_consent"),
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
    photo: Mapped[bytes | None] = mapped_column(deferred=True)
    photo_consent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
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


class Leave(Base):
    """A time for which a person is away, and who stands in, if anybody is named."""

    __tablename__ = "leave"
    __table_args__ = (
        CheckConstraint("deputy_id <> person_id", name="deputy"),
        ExcludeConstraint(("person_id", "="), ("valid", "&&"), name="ex_leave_person"),
        Index("ix_leave_deputy", "deputy_id", postgresql_where=text("deputy_id IS NOT NULL")),
    )

    id: Mapped[BigId]
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    deputy_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))
    valid: Mapped[Validity]
    note: Mapped[str] = mapped_column(String(400), server_default="")


class DutyRoster(Base):
    """When a unit is on duty and by whom: resident 常驻, rotating 轮驻 or on call 随驻.

    A row without a person is a post that answers the unit's own telephone.
    """

    __tablename__ = "duty_roster"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        CheckConstraint("presence IN ('resident', 'rotating', 'on_call')", name="presence"),
        CheckConstraint("(starts IS NULL) = (ends IS NULL)", name="hours"),
        Index("ix_duty_roster_unit", "unit_id"),
    )

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    unit_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("unit.id"))
    person_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))
    presence: Mapped[str] = mapped_column(String(10))
    valid: Mapped[Validity]
    weekdays: Weekdays = mapped_column(ARRAY(SmallInteger))
    # Hours of the day in local time; the end may lie on the next day.
    starts: Mapped[time | None]
    ends: Mapped[time | None]
