"""What time brings: each piece of periodic work, and when it was last done; what was deleted."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Now

__all__ = ["RetentionRun", "Tick"]

_NONE = text("0")


class Tick(Base):
    """Periodic work of a county; one process of all does it at a time.

    `failures` are those in a row, with what `failing` says of the last.
    """

    __tablename__ = "tick"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    done_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("'-infinity'")
    )
    tried_at: Mapped[Now]
    every_s: Mapped[float]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing: Mapped[str] = mapped_column(String(200), server_default="")


class RetentionRun(Base):
    """One run of a retention rule: what was deleted, and how it ended.

    Deleted was what had become due from `since`, the limit of the run before, to `until`. `passed`
    counts rows that could not be deleted. A run that was refused, since the database's clock seemed
    to be set, says which time that was `held_against`.
    """

    __tablename__ = "retention_run"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('running', 'done', 'unfinished', 'failed', 'interrupted', 'refused')",
            name="outcome",
        ),
        Index("ix_retention_run_rule", "county", "rule", "id"),
    )

    id: Mapped[BigId]
    rule: Mapped[str] = mapped_column(String(40))
    days: Mapped[int]
    since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    begun_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("clock_timestamp()")
    )
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    outcome: Mapped[str] = mapped_column(String(12), server_default="running")
    rows: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    files: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    passed: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    reason: Mapped[str] = mapped_column(String(400), server_default="")
    held_against: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
