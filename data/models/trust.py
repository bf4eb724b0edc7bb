"""Trust: accounts, their grants and sessions, and the audit log."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now

__all__ = ["Account", "AuditLog", "AuditRead", "LoginSession", "RecoveryCode", "RoleGrant"]


class Account(Base):
    """Someone who may log in; the password is held as an argon2 hash."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("login"),)

    id: Mapped[BigId]
    login: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # What a cookie of a known device must name: a new one forgets all devices.
    device_stamp: Mapped[str] = mapped_column(String(32), server_default="")
    # The second factor holds from its confirmation; a code's time step is not taken twice.
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    totp_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
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
    """A server-side session; the cookie's token is held only as a hash.

    Attributes
    ----------
    stage : str
        ``factor`` until the second factor is shown, ``password`` until a new password is set,
        then ``open``: before, it may do nothing else.
    must_change : bool
        Whether a new password is to be set after the second factor.
    device : str
        What the browser calls itself, for the account's own list of sessions.
    """

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("id"),
        CheckConstraint("stage IN ('factor', 'password', 'open')", name="stage"),
        Index("ix_session_account_id", "account_id"),
        Index("ix_session_expires_at", "expires_at"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity())
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE")
    )
    csrf: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[Now]
    begun_at: Mapped[Now]
    stage: Mapped[str] = mapped_column(String(10), server_default="open")
    must_change: Mapped[bool] = mapped_column(server_default=text("false"))
    device: Mapped[str] = mapped_column(String(200), server_default="")


class RecoveryCode(Base):
    """A code that stands once for the second factor, as a hash; what is used is deleted."""

    __tablename__ = "recovery_code"

    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


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


class AuditRead(Base):
    """Who looked at what: written by batches, each sealed by an entry of the chain.

    Partitions, one for each month, stand in the schema ``audit``.
    """

    __tablename__ = "audit_read"
    __table_args__ = (
        Index("ix_audit_read_county_batch", "county", "batch"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now()"), primary_key=True
    )
    batch: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200), server_default="")
