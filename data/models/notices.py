"""What is told to whom: the outbox, and the devices that may tell where somebody is."""

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
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now

__all__ = ["Device", "NoticeChannel", "Outbox"]


class Outbox(Base):
    """A notice on its way; it is written with what it tells of, and delivered afterwards.

    The same notice has the same `key`: it is told at least once, and shown once.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("channel IN ('app', 'email', 'sms', 'webhook')", name="channel"),
        CheckConstraint("state IN ('waiting', 'sent', 'seen', 'failed')", name="state"),
        Index("ix_outbox_waiting", "next_at", postgresql_where=text("state = 'waiting'")),
        Index(
            "ix_outbox_address",
            "county",
            "channel",
            "address",
            "id",
            postgresql_where=text("channel = 'app' AND state <> 'seen'"),
        ),
    )

    id: Mapped[BigId]
    key: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(400))
    incident_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("incident.id", ondelete="CASCADE")
    )
    subject: Mapped[str] = mapped_column(String(200))
    content: Mapped[Json]
    state: Mapped[str] = mapped_column(String(10), server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[Now]
    reason: Mapped[str] = mapped_column(String(400), server_default="")
    made_at: Mapped[Now]
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class NoticeChannel(Base):
    """Where else a county's notices go: a mail server, an SMS gateway, another system.

    `target` is an address of e-mail or an HTTP address; no kinds are all kinds.
    """

    __tablename__ = "notice_channel"
    __table_args__ = (CheckConstraint("channel IN ('email', 'sms', 'webhook')", name="channel"),)

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20))
    target: Mapped[str] = mapped_column(String(400))
    kinds: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))


class Device(Base):
    """A device that may tell where a person is; its token is held only as a hash."""

    __tablename__ = "device"
    __table_args__ = (Index("ix_device_person", "person_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id", ondelete="CASCADE"))
    made_at: Mapped[Now]
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
