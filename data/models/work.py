"""Work: incidents with their append-only course, assignments, dispatches, latest positions."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Json, Now, Place, SourceRef, geometry_column

__all__ = ["AssignJob", "Assignment", "Dispatch", "Incident", "IncidentEvent", "Position"]


_OPEN = text("state NOT IN ('closed', 'void')")


class Incident(Base):
    """An incident 事件, its place as given, and the grid that it was in at the time.

    `version` counts its transitions, `before` is the state that a pause goes back to, and
    `person_id` or `unit_id` who handles it. A report that comes twice from a `sender` (its channel
    and whose report it is) has the same `receipt_key`; no sender writes into another's keys.
    `source_ref` is the public number; whoever has `follow_key` too may follow the case and rate it.
    """

    __tablename__ = "incident"
    __table_args__ = (
        UniqueConstraint("county", "source_ref"),
        CheckConstraint(
            "state IN ('accepted', 'triaged', 'dispatched', 'handled', 'reported', 'verified', "
            "'followed_up', 'closed', 'returned', 'rework', 'extension', 'suspended', 'void')",
            name="state",
        ),
        CheckConstraint("severity IN ('general', 'difficult', 'major')", name="severity"),
        CheckConstraint("level IN ('grid', 'town', 'county')", name="level"),
        Index("ix_incident_county_state", "county", "state", "reported_at"),
        Index("ix_incident_grid", "grid_id"),
        Index("ix_incident_open", "county", "reported_at", postgresql_where=_OPEN),
        Index("ix_incident_person", "person_id", postgresql_where=_OPEN),
        Index(
            "uq_incident_receipt",
            "county",
            "sender",
            "receipt_key",
            unique=True,
            postgresql_where=text("receipt_key IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    class_code: Mapped[str] = mapped_column(ForeignKey("incident_class.code"))
    severity: Mapped[str] = mapped_column(String(10), server_default="general")
    state: Mapped[str] = mapped_column(String(12), server_default="accepted")
    reported_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    description: Mapped[str] = mapped_column(Text, server_default="")
    raw_x: Mapped[float]
    raw_y: Mapped[float]
    raw_crs: Mapped[str] = mapped_column(String(40))
    geom: Mapped[Place] = geometry_column("POINT")
    grid_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("grid.id"))
    # How many grids cover the place: more than one on a shared edge, none outside the city.
    grid_count: Mapped[int | None]
    cell: Mapped[int] = mapped_column(BigInteger)
    # Null until the first transition: then the flow that holds is kept.
    flow: Mapped[str | None] = mapped_column(ForeignKey("flow.code"))
    before: Mapped[str] = mapped_column(String(12), server_default="")
    level: Mapped[str] = mapped_column(String(10), server_default="grid")
    version: Mapped[int] = mapped_column(server_default="0")
    channel: Mapped[str] = mapped_column(String(20), server_default="import")
    sender: Mapped[str] = mapped_column(String(130), server_default="")
    receipt_key: Mapped[str | None] = mapped_column(String(100))
    follow_key: Mapped[str] = mapped_column(
        String(32), server_default=text("replace((gen_random_uuid())::text, '-'::text, ''::text)")
    )
    person_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))
    unit_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("unit.id"))
    changed_at: Mapped[Now]


class IncidentEvent(Base):
    """One step of an incident's course; a trigger refuses change and deletion."""

    __tablename__ = "incident_event"
    __table_args__ = (Index("ix_incident_event_incident", "incident_id"),)

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("incident.id"))
    at: Mapped[Now]
    kind: Mapped[str] = mapped_column(String(30))
    actor: Mapped[str] = mapped_column(String(100))
    detail: Mapped[Json]
    # Both, for a step of the flow; null for one beside it.
    state_before: Mapped[str | None] = mapped_column(String(12))
    state_after: Mapped[str | None] = mapped_column(String(12))


class Assignment(Base):
    """Who is responsible for an incident, by role, and the responsibility that says so.

    The one that the rules name leads. A centre that takes what nobody is responsible for
    (属地兜底) has no responsibility.
    """

    __tablename__ = "assignment"
    __table_args__ = (CheckConstraint("num_nonnulls(person_id, unit_id) = 1", name="one_holder"),)

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(String(30), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"))
    unit_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("unit.id"))
    responsibility_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("responsibility.id")
    )
    lead: Mapped[bool] = mapped_column(server_default=text("false"))


class AssignJob(Base):
    """A table that is being assigned in the background, and how far it is."""

    __tablename__ = "assign_job"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        Index("ix_assign_job_author", "county", "author", "state"),
    )

    id: Mapped[BigId]
    state: Mapped[str] = mapped_column(String(10), server_default="waiting")
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    # Jobs of an author in one lane run one after the other.
    lane: Mapped[int] = mapped_column(server_default=text("0"))
    name: Mapped[str] = mapped_column(String(200))
    crs: Mapped[str | None] = mapped_column(String(40))
    by_class: Mapped[bool] = mapped_column(server_default=text("false"))
    author: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[Now]
    rows_done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rows_placed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rows_refused: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reason: Mapped[str] = mapped_column(String(1000), server_default="")


class Dispatch(Base):
    """A person sent to an incident; one person has at most one open dispatch.

    It is open from the order until it is done, declined, lapsed without an answer, or cancelled.
    """

    __tablename__ = "dispatch"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'done', 'cancelled', 'declined', 'lapsed')", name="state"
        ),
        Index(
            "uq_dispatch_open_person",
            "person_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_dispatch_incident", "incident_id"),
        Index("ix_dispatch_person", "person_id"),
    )

    id: Mapped[BigId]
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("incident.id"))
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(String(10), server_default="open")
    travel_time_s: Mapped[float | None]
    distance_m: Mapped[float | None]
    actor: Mapped[str] = mapped_column(String(100))
    at: Mapped[Now]
    taken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reason: Mapped[str] = mapped_column(Text, server_default="")


class Position(Base):
    """A responder's latest position, only while on duty; there is no history."""

    __tablename__ = "position"
    __table_args__ = (Index("ix_position_heard", "county", "heard_at"),)

    person_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[Now]
    geom: Mapped[Place] = geometry_column("POINT")
    # Kept by a trigger: when the database was told, whenever the device was there.
    heard_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("clock_timestamp()")
    )
