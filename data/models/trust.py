"""Trust: accounts, their roles and sessions, and the audit log."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, String, UniqueConstraint
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


class RoleGrant(Base):
    """A desk role that an account holds in an area; null area means the whole county."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "role", "division"),)

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE")
    )
    role: Mapped[str] = mapped_column(String(30))
    division: Mapped[str | None] = mapped_column(ForeignKey("division.code"))


class LoginSession(Base):
    """A server-side session; the cookie's token is held only as a hash."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE")
    )
    csrf: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AuditLog(Base):
    """Who did what; a trigger refuses change and deletion."""

    __tablename__ = "audit_log"

    id: Mapped[BigId]
    at: Mapped[Now]
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(60))
    detail: Mapped[Json]
