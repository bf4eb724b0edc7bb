"""What every table shares: naming, the county code, keys, geometry and validity columns."""

from datetime import datetime
from typing import Annotated, Any

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement
from sqlalchemy import BigInteger, DateTime, Identity, MetaData, String, text
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "Base",
    "BigId",
    "Json",
    "Now",
    "Place",
    "SourceRef",
    "Validity",
    "geometry_column",
]


class Base(DeclarativeBase):
    """Base of all tables; each carries the six-digit county code it belongs to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    county: Mapped[str] = mapped_column(String(6))


BigId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Json = Annotated[dict[str, Any], mapped_column(JSONB, server_default=text("'{}'"))]
Now = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]
Place = WKBElement
# Who a row is in its source, so that importing a file twice changes nothing.
SourceRef = Annotated[str, mapped_column(String(200))]
Validity = Annotated[Range[datetime], mapped_column(TSTZRANGE)]


def geometry_column(kind: str, *, nullable: bool = False) -> Any:
    """Return a geometry column in EPSG:4326 with a GiST index."""
    return mapped_column(
        Geometry(kind, srid=4326, spatial_index=True, nullable=nullable), nullable=nullable
    )
