"""Alembic's environment: run on the connection that `data.migrate` hands over."""

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection

from data.models import Base


def run(connection: Connection) -> None:
    """Run migrations on an open connection, all in its one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=alembic_helpers.include_object,
        process_revision_directives=alembic_helpers.writer,
        render_item=alembic_helpers.render_item,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
