"""Rules as data, each with its source.

Profiles, incident classes, roles, teams and who is asked; flows, deadlines, the duty list and the
working calendar of incidents.
"""

from datetime import date, time
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Json, Validity
from data.models.people import Weekdays

__all__ = [
    "Calendar",
    "CalendarDay",
    "DeadlineRule",
    "DutyListEntry",
    "FlowChoice",
    "FlowDefinition",
    "IncidentClass",
    "Profile",
    "ResponsibilityRule",
    "Role",
    "Team",
]


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


class Role(Base):
    """A role in the grid and the names that lists give it."""

    __tablename__ = "role"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    aliases: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    source: Mapped[str] = mapped_column(Text)


class Team(Base):
    """The roles that every grid is to have, such as 1+3+N."""

    __tablename__ = "team"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class ResponsibilityRule(Base):
    """Who is asked: area × class × owner of the thing × time → a role, a unit or the owner.

    Rules are asked in the order of `position`; a null condition is always met. A county that
    has rules of its own does not use the presets.
    """

    __tablename__ = "responsibility_rule"
    __table_args__ = (
        CheckConstraint("num_nonnulls(to_role, to_unit) = (NOT to_owner)::int", name="target"),
        CheckConstraint("(starts IS NULL) = (ends IS NULL)", name="hours"),
    )

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    grid_kind: Mapped[str | None] = mapped_column(String(10))
    # The leading digits of a community, a town or a county.
    division: Mapped[str | None] = mapped_column(String(12))
    class_scope: Mapped[str | None] = mapped_column(String(30))
    # A unit's name, or "known" for any.
    owner: Mapped[str | None] = mapped_column(String(200))
    weekdays: Weekdays = mapped_column(ARRAY(SmallInteger))
    starts: Mapped[time | None]
    ends: Mapped[time | None]
    # A role's code, or "class" for the role that the class of incident names.
    to_role: Mapped[str | None] = mapped_column(String(30))
    to_unit: Mapped[str | None] = mapped_column(String(200))
    to_owner: Mapped[bool] = mapped_column(server_default=text("false"))
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class FlowDefinition(Base):
    """A flow 流程: what its stages are called, and its transitions (`routing.lifecycle.flow`)."""

    __tablename__ = "flow"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    # Name of a stage → the states that it stands for.
    stages: Mapped[Json]
    transitions: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class FlowChoice(Base):
    """Which flow a county's incidents take; `class_scope` is a class, a group, or ``*``."""

    __tablename__ = "flow_choice"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    class_scope: Mapped[str] = mapped_column(String(30), primary_key=True)
    flow: Mapped[str] = mapped_column(ForeignKey("flow.code"))


class DeadlineRule(Base):
    """How long something may take, by class, severity and kind of grid; null is any.

    The rule with the most conditions that are met counts, of a county's own or else the presets.
    """

    __tablename__ = "deadline_rule"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('dispatch', 'take', 'handle', 'verify', 'total', 'answer')", name="kind"
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "unit IN ('minutes', 'hours', 'days', 'working_hours', 'working_days')", name="unit"
        ),
    )

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    class_scope: Mapped[str | None] = mapped_column(String(30))
    severity: Mapped[str | None] = mapped_column(String(10))
    area_class: Mapped[str | None] = mapped_column(String(10))
    amount: Mapped[int]
    unit: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class DutyListEntry(Base):
    """A class that may be sent to gridworkers (事项清单); a temporary one names the consent."""

    __tablename__ = "duty_list"
    __table_args__ = (CheckConstraint("upper_inf(valid) OR consent <> ''", name="consent"),)

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    class_code: Mapped[str] = mapped_column(ForeignKey("incident_class.code"))
    valid: Mapped[Validity]
    consent: Mapped[str] = mapped_column(Text, server_default="")
    source: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool]


class Calendar(Base):
    """A county's time zone and hours of work."""

    __tablename__ = "calendar"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    zone: Mapped[str] = mapped_column(String(60), server_default="Asia/Shanghai")
    hours: Mapped[list[Any]] = mapped_column(
        JSONB, server_default=text("""'[["08:30", "12:00"], ["14:00", "17:30"]]'""")
    )
    source: Mapped[str] = mapped_column(Text, server_default="")


class CalendarDay(Base):
    """A day that is worked or not otherwise than the public calendar says."""

    __tablename__ = "calendar_day"

    county: Mapped[str] = mapped_column(String(6), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    works: Mapped[bool]
    name: Mapped[str] = mapped_column(String(100), server_default="")
    source: Mapped[str] = mapped_column(Text, server_default="")
