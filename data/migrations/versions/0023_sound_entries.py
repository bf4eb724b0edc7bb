"""What whoever serves writes of the log can be read; a card follows its buildings and addresses.

A seal with blanks around its number, or a gap whose length is no number, made the check of the log
fail for ever, and a time of long ago let a read be deleted at once.
"""

from importlib import import_module
from typing import Any

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# What 0021 made, with more of what an entry must be.
_SOUND = """
        IF NEW.action = 'reads.gap' AND (jsonb_typeof(NEW.detail->'most_s') IS DISTINCT FROM 'number'
            OR (NEW.detail->>'most_s')::numeric NOT BETWEEN 0 AND 86400
            OR jsonb_typeof(NEW.detail->'since') IS DISTINCT FROM 'string') THEN
            RAISE EXCEPTION 'a gap says since when, and how many seconds it may be'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF NEW.action = 'reads.seal' THEN
            NEW.subject := NEW.subject::bigint::text;
"""
_SEAL = """
        IF NEW.action = 'reads.seal' THEN
"""
# Reads wait in memory while the database is away: for days, not for months.
_NOTE = """
    CREATE OR REPLACE FUNCTION audit_note_reads(
        of_county text, ats timestamptz[], actors text[], actions text[], subjects text[]
    ) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        number bigint := nextval('audit.batch');
    BEGIN
        INSERT INTO audit_read (at, county, batch, actor, action, subject)
            SELECT {at}, of_county, number, actor, action, subject
            FROM unnest(ats, actors, actions, subjects) AS new (at, actor, action, subject);
        INSERT INTO audit_log (county, actor, action, subject, detail)
            VALUES (of_county, 'system', 'reads.seal', number::text, '{{}}');
        RETURN number;
    END $$;
"""
_RUNS = """
    CREATE FUNCTION keep_retention_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.outcome = 'running' AND TG_OP = 'UPDATE'
            OR OLD.begun_at < now() - interval '184 days' AND TG_OP = 'DELETE'
            OR pg_has_role(session_user,
                (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
            RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
        END IF;
        RAISE EXCEPTION 'what was deleted when is kept for 184 days'
            USING ERRCODE = 'insufficient_privilege';
    END $$;
    CREATE TRIGGER retention_run_kept BEFORE UPDATE OR DELETE ON retention_run
        FOR EACH ROW EXECUTE FUNCTION keep_retention_run();
"""
# A building that is known to belong to a grid is part of the directory, where it stands.
_FOOTPRINTS = """
    CREATE OR REPLACE FUNCTION footprints_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        moved text[] := ARRAY(SELECT DISTINCT changed.county FROM previous JOIN changed USING (id)
            WHERE previous.geom IS DISTINCT FROM changed.geom);
    BEGIN
        IF cardinality(moved) = 0 THEN
            RETURN NULL;
        END IF;
        UPDATE address_version SET version = version + 1, mark = gen_random_uuid()
            WHERE county = ANY (moved);
{members}        PERFORM pg_notify('directory', county) FROM unnest(moved) AS told (county);
        RETURN NULL;
    END $$;
"""
_MEMBERS = """\
        UPDATE directory_version SET ground = ground + 1 WHERE county = ANY (moved)
            AND EXISTS (SELECT FROM membership JOIN changed ON changed.id = membership.building_id);
"""
_EMPTIED = """
    CREATE FUNCTION addresses_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE address_version SET version = version + 1, mark = gen_random_uuid();
        PERFORM pg_notify('directory', county) FROM address_version;
        RETURN NULL;
    END $$;
    CREATE TRIGGER address_truncate AFTER TRUNCATE ON address
        FOR EACH STATEMENT EXECUTE FUNCTION addresses_emptied();
"""


def _chain(*, sound: bool) -> str:
    before: Any = import_module("data.migrations.versions.0021_retention")
    # Its own words, once.
    chain: str = before._CHAIN.replace("        -- expired\n", before._EXPIRED)  # noqa: SLF001
    return chain.replace(_SEAL, _SOUND) if sound else chain


def _run(*statements: str) -> None:
    for statement in statements:
        # The driver would read the percent signs as parameters.
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def upgrade() -> None:
    """Look at what is written, keep what was done, and follow."""
    _run(
        _chain(sound=True),
        _NOTE.format(at="greatest(at, now() - interval '28 days')"),
        *(_RUNS, _FOOTPRINTS.format(members=_MEMBERS), _EMPTIED),
    )


def downgrade() -> None:
    """As it was."""
    _run(
        "DROP FUNCTION addresses_emptied CASCADE",
        "DROP FUNCTION keep_retention_run CASCADE",
        _FOOTPRINTS.format(members=""),
        _NOTE.format(at="at"),
        _chain(sound=False),
    )
