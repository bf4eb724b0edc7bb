"""Two roles of the database: the owner migrates, the other serves and cannot unwrite the log."""

from sqlalchemy import Engine, text

from data.cluster import SERVING_ROLE
from data.database_url import database_url
from data.settings import Settings

__all__ = ["close_functions", "grant_serving", "is_protected", "may_serve", "serving_role_of"]

_LOGS = ("audit_log", "audit_read", "incident_event")
# What is granted is the owner's own: of an extension's tables and functions, which everybody may
# read and call, the server would write a warning each, near a thousand.
_GRANT = """
    GRANT USAGE ON SCHEMA public, jobs, audit TO {role};
    DO $grant$
    DECLARE statement text;
    BEGIN
        FOR statement IN
            SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %%s TO {role_in_text}',
                oid::regclass)
            FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND relnamespace IN ('public'::regnamespace, 'jobs'::regnamespace)
            AND pg_has_role(relowner, 'USAGE')
            UNION ALL SELECT format('GRANT EXECUTE ON FUNCTION %%s TO {role_in_text}',
                oid::regprocedure)
            FROM pg_proc WHERE prokind <> 'p'
            AND pronamespace IN ('public'::regnamespace, 'jobs'::regnamespace)
            AND pg_has_role(proowner, 'USAGE')
        LOOP
            EXECUTE statement;
        END LOOP;
    END $grant$;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public, jobs, audit FROM {role};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, jobs, audit TO {role};
    REVOKE ALL ON SEQUENCE audit_log_id_seq, audit_read_id_seq FROM {role};
    REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON {logs} FROM {role};
    REVOKE INSERT ON audit_read FROM {role};
    REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM {role};
    GRANT SELECT ON audit.period, audit.checkpoint TO {role};
    REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version FROM {role};
"""
# What runs with the owner's rights is not everybody's, as it is where rights were not restored.
_CLOSE = """
    DO $close$
    DECLARE statement text;
    BEGIN
        FOR statement IN SELECT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
            FROM pg_proc WHERE prosecdef AND pg_has_role(proowner, 'USAGE')
            AND pronamespace::regnamespace::text IN ('public', 'jobs', 'audit')
        LOOP
            EXECUTE statement;
        END LOOP;
    END $close$
"""
_MAY_SERVE = text(
    "SELECT has_function_privilege(:role, note, 'EXECUTE') AND has_table_privilege(:role, "
    "'incident', 'INSERT') AND NOT EXISTS (SELECT FROM pg_proc, aclexplode(coalesce(proacl, "
    "acldefault('f', proowner))) AS held WHERE pg_proc.oid = note AND held.grantee = 0) "
    "FROM CAST('audit_note_reads' AS regproc) AS note"
)
_MAY_CHANGE = text(
    "SELECT bool_or(has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') "
    "OR has_table_privilege(c.oid, 'TRUNCATE') OR pg_has_role(c.relowner, 'MEMBER')) "
    "FROM pg_class AS c WHERE c.oid IN ('audit_log'::regclass, 'audit_read'::regclass) "
    "OR c.relnamespace = 'audit'::regnamespace AND c.relkind = 'r'"
)
_MAY_RENUMBER = text("SELECT has_sequence_privilege('audit_log_id_seq', 'UPDATE')")


def serving_role_of(settings: Settings) -> str | None:
    """The role that serves beside an owner; None where one role does both."""
    if settings.database_url is None:
        return SERVING_ROLE
    if settings.owner_url is None:
        return None
    return database_url(settings.database_url).username


def close_functions(engine: Engine) -> None:
    """Let nobody but the owner call what runs with the owner's rights; as the owner."""
    with engine.begin() as connection:
        connection.execute(text(_CLOSE))


def grant_serving(engine: Engine, role: str) -> None:
    """Let a role do all that serving needs; as the owner, after each migration or restoring."""
    close_functions(engine)
    quoted = engine.dialect.identifier_preparer.quote(role)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            _GRANT.format(
                role=quoted,
                # Within a text and a template of PostgreSQL's.
                role_in_text=quoted.replace("%", "%%").replace("'", "''"),
                logs=", ".join(_LOGS),
            )
        )


def may_serve(engine: Engine, role: str) -> bool:
    """Whether a role has been let serve: one that was restored or named anew has not."""
    with engine.connect() as connection:
        return bool(connection.execute(_MAY_SERVE, {"role": role}).scalar())


def is_protected(engine: Engine) -> bool:
    """Whether the role that is connected may not change the logs."""
    with engine.connect() as connection:
        may = (connection.execute(query).scalar() for query in (_MAY_CHANGE, _MAY_RENUMBER))
        return not any(may)
