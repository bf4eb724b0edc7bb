"""Rules as data: grid profiles and incident classes, each with its source."""

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base

__all__ = ["IncidentClass", "Profile"]


class Profile(Base):
    """Thresholds of a grid profile; `county` 000000 marks a preset for every county."""

    __tablename__ = "profile"
    __table_args__ = (CheckConstraint("measure IN ('households', 'people')", name="measure"),)

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    # Size of a grid: what to aim at, least and most; null means a fifth to both sides.
    urban_households: Mapped[int]
    urban_least: Mapped[int | None]
    urban_most: Mapped[int | None]
    rural_households: Mapped[int]
    rural_least: Mapped[int | None]
    rural_most: Mapped[int | None]
    micro_least: Mapped[int] = mapped_column(server_default="30")
    micro_most: Mapped[int] = mapped_column(server_default="50")
    measure: Mapped[str] = mapped_column(String(10), server_default="households")
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class IncidentClass(Base):
    """A class of incident, with the role that goes and the table it comes from."""

    __tablename__ = "incident_class"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    group: Mapped[str] = mapped_column(String(30))
    responder_role: Mapped[str] = mapped_column(String(30))
    source: Mapped[str] = mapped_column(Text)
