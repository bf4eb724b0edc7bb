from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from geoalchemy2 import alembic_helpers
from sqlalchemy import text

from data import migrate
from data.cluster import Cluster
from data.database import Database
from data.models import Base
from tests.conftest import create_database


def drift(database: Database) -> list:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": alembic_helpers.include_object,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        return compare_metadata(context, Base.metadata)


def tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        names = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'jobs')")
        )
        return set(names) - {"spatial_ref_sys", "alembic_version"}


def test_schema_goes_up_down_and_up_and_equals_the_models(cluster: Cluster) -> None:
    database = create_database(cluster, "migrated")
    migrate.upgrade(database.engine)
    first = tables(database)
    assert first >= set(Base.metadata.tables)
    assert drift(database) == []
    migrate.downgrade(database.engine)
    assert tables(database) == set()
    assert migrate.current_revision(database.engine) is None
    migrate.upgrade(database.engine)
    assert tables(database) == first
    assert drift(database) == []
    assert migrate.current_revision(database.engine) == migrate.head_revision()
    database.engine.dispose()


def test_every_table_carries_the_county() -> None:
    assert [t.name for t in Base.metadata.tables.values() if "county" not in t.columns] == []
