"""The public card: its layout, signs on doors, and how often strangers have asked."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Now

__all__ = ["Asked", "CardLayout", "DoorSign", "ServerKey"]

_FALSE, _NONE = text("false"), text("'{}'")


class CardLayout(Base):
    """What a contact card 网格服务联系卡 shows; `county` 000000 marks a preset for every county."""

    __tablename__ = "card_layout"
    __table_args__ = (
        CheckConstraint("cardinality(services) = cardinality(services_en)", name="services"),
    )

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    # In the order in which they are shown; each service in both languages.
    roles: Mapped[list[str]] = mapped_column(ARRAY(String))
    services: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=_NONE)
    services_en: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=_NONE)
    hours: Mapped[str] = mapped_column(String(100), server_default="")
    hours_en: Mapped[str] = mapped_column(String(100), server_default="")
    supervision_phone: Mapped[str] = mapped_column(String(40), server_default="")
    shows_private_phone: Mapped[bool] = mapped_column(server_default=_FALSE)
    shows_photo: Mapped[bool] = mapped_column(server_default=_FALSE)
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class DoorSign(Base):
    """A sign at an address: whoever scans it gets the card without typing.

    The token is random: it says nothing of the address, and none leads to the next.
    """

    __tablename__ = "door_sign"

    token: Mapped[str] = mapped_column(String(24), primary_key=True)
    address_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("address.id", ondelete="CASCADE"), unique=True
    )
    made_at: Mapped[Now]


class Asked(Base):
    """How often somebody has asked until a time; `key` is a keyed hash, never an address."""

    __tablename__ = "asked"
    __table_args__ = (Index("ix_asked_expires_at", "expires_at"), {"prefixes": ["UNLOGGED"]})

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    count: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ServerKey(Base):
    """What all processes of a server sign with; made by the first of them."""

    __tablename__ = "server_key"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    key: Mapped[bytes]
