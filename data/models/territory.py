"""Territory: administrative divisions and dedicated zones."""

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, BigId, Place, SourceRef, geometry_column

__all__ = ["Division", "Zone"]


class Division(Base):
    """A division by its 12-digit code 统计用区划代码, from province to community 村/社区."""

    __tablename__ = "division"
    __table_args__ = (
        CheckConstraint(r"code ~ '^\d{12}$'", name="code"),
        CheckConstraint("level IN ('province', 'city', 'county', 'town', 'village')", name="level"),
        Index("ix_division_county_level", "county", "level"),
        Index("ix_division_parent", "parent"),
        UniqueConstraint("county", "level", "source_ref", name="uq_division_source"),
    )

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    parent: Mapped[str | None] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(10))
    # 城乡分类: 1xx is urban and 2xx is rural; null where the source does not say.
    ur_code: Mapped[str | None] = mapped_column(String(3))
    source_ref: Mapped[SourceRef]
    geom: Mapped[Place | None] = geometry_column("MULTIPOLYGON", nullable=True)


class Zone(Base):
    """A dedicated zone 专属区域: park, business area, school, hospital, market, centre."""

    __tablename__ = "zone"
    __table_args__ = (UniqueConstraint("county", "source_ref"),)

    id: Mapped[BigId]
    source_ref: Mapped[SourceRef]
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str | None] = mapped_column(String(200))
    owner: Mapped[str | None] = mapped_column(String(200))
    geom: Mapped[Place] = geometry_column("MULTIPOLYGON")
