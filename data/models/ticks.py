"""What time brings: each piece of periodic work, and when it was last done."""

from datetime import datetime

from sqlalchemy import DateTime, String, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Now

__all__ = ["Tick"]


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
