"""The role that serves is let do what it needs, without a word about what is not the owner's."""

import psycopg
import pytest
from sqlalchemy import event, text

from data.cluster import Cluster
from data.database import Database
from data.serving_role import grant_serving, may_serve

# What may stand in a role's name.
ROLES = ("serve_one", 'serve\'of "the" 100%')


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_warned_of_where_a_role_is_let_serve(
    cluster: Cluster, database: Database, role: str
) -> None:
    """PostGIS's functions are a superuser's: 966 warnings stood in the server's log."""
    name = database.engine.url.database
    quoted = '"' + role.replace('"', '""') + '"'
    with psycopg.connect(cluster.url_of(str(name)).replace("+psycopg", "")) as connection:
        connection.execute(f"CREATE ROLE {quoted}".encode())
    said: list[str] = []

    @event.listens_for(database.engine, "connect")
    def listen(connection, _record) -> None:
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary))

    try:
        database.engine.dispose()
        grant_serving(database.engine, role)
        assert said == []
        assert may_serve(database.engine, role)
        with database.engine.connect() as connection:
            for asked in (
                "has_table_privilege(:role, 'outbox', 'DELETE')",
                "has_table_privilege(:role, 'spatial_ref_sys', 'SELECT')",
                "has_table_privilege(:role, 'jobs.procrastinate_jobs', 'UPDATE')",
                "has_function_privilege(:role, 'postgis_lib_version()', 'EXECUTE')",
                "NOT has_table_privilege(:role, 'audit_log', 'UPDATE')",
                "NOT has_table_privilege(:role, 'audit.period', 'UPDATE')",
            ):
                assert connection.execute(text(f"SELECT {asked}"), {"role": role}).scalar(), asked
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {quoted.replace('%', '%%')}")
        with psycopg.connect(cluster.url_of(str(name)).replace("+psycopg", "")) as connection:
            connection.execute(f"DROP ROLE {quoted}".encode())
