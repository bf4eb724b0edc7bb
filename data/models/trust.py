"""Trust: accounts, their grants and sessions, and the audit log."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now

__all__ = ["Account", "AuditLog", "LoginSession", "RoleGrant"]


class Account(Base):
    """Someone who may log in; the password is held as an argon2 hash."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("login"),)

    id: Mapped[BigId]
    login: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Wrong passwords in a row, and until when no password is looked at.
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Whose tasks they are, for who also stands in the staff list.
    person_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))


class RoleGrant(Base):
    """A role that an account holds in an area; no area is the whole county, no class is all."""

    __tablename__ = "role_grant"
    __table_args__ = (
        Index(
            "uq_role_grant",
            "account_id",
            "role",
            text("coalesce(division, '')"),
            text("coalesce(class_code, '')"),
            unique=True,
        ),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE")
    )
    role: Mapped[str] = mapped_column(String(30))
    division: Mapped[str | None] = mapped_column(ForeignKey("division.code"))
    class_code: Mapped[str | None] = mapped_column(ForeignKey("incident_class.code"))


class LoginSession(Base):
    """A server-side session; the cookie's token is held only as a hash."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE")
    )
    csrf: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[Now]


class AuditLog(Base):
    """Who saw and did what; each entry holds a hash over itself and the one before.

    A trigger numbers, dates and chains the entries of a county, others refuse change and
    deletion.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_county", "county", "id"),)

    id: Mapped[BigId]
    at: Mapped[Now]
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), server_default="")
    detail: Mapped[Json]
    hash: Mapped[str] = mapped_column(String(64), server_default="")
