"""What an incident gathers on its way: deadlines, whistles, follow-ups, reporters, photos."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Now

__all__ = ["Attachment", "Deadline", "FollowUp", "Reporter", "Whistle"]

_INCIDENT = "incident.id"


class Deadline(Base):
    """Until when something of an incident is to be done; several may run at once.

    `next_at` is when the ladder's step `rung` is due; a pause stops it.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        Index("ix_deadline_incident", "incident_id"),
        Index(
            "ix_deadline_next",
            "next_at",
            postgresql_where=text("ended_at IS NULL AND paused_at IS NULL"),
        ),
        Index(
            "uq_deadline_running",
            "incident_id",
            "kind",
            text("coalesce(whistle_id, 0)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(_INCIDENT, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    whistle_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("whistle.id", ondelete="CASCADE")
    )
    amount: Mapped[int]
    unit: Mapped[str] = mapped_column(String(20))
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    warn_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    rung: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Whistle(Base):
    """A department that was called 吹哨 and is to report 报到."""

    __tablename__ = "whistle"
    __table_args__ = (
        Index(
            "uq_whistle_open",
            "incident_id",
            "unit_id",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(_INCIDENT, ondelete="CASCADE"))
    unit_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("unit.id"))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(100))
    at: Mapped[Now]
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answered_by: Mapped[str] = mapped_column(String(100), server_default="")


class FollowUp(Base):
    """What the reporter says when asked afterwards 回访."""

    __tablename__ = "follow_up"
    __table_args__ = (
        CheckConstraint(
            "satisfaction IN ('satisfied', 'content', 'dissatisfied', 'not_reached')",
            name="satisfaction",
        ),
    )

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey(_INCIDENT, ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now()"), primary_key=True
    )
    satisfaction: Mapped[str] = mapped_column(String(20))
    words: Mapped[str] = mapped_column(Text, server_default="")
    actor: Mapped[str] = mapped_column(String(100))


class Reporter(Base):
    """Whom to call back, where they agreed; deleted when the incident has ended."""

    __tablename__ = "reporter"

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey(_INCIDENT, ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(100), server_default="")
    phone: Mapped[str] = mapped_column(String(40), server_default="")
    consent_at: Mapped[Now]


class Attachment(Base):
    """A photo of an incident, drawn anew without what the camera wrote into it."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("incident_id", "digest"),)

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(_INCIDENT, ondelete="CASCADE"))
    at: Mapped[Now]
    actor: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
