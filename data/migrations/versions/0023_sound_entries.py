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
_RUNS = """
    CREATE FUNCTION keep_retention_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND OLD.outcome = 'running'
            AND (NEW.id, NEW.county, NEW.rule, NEW.begun_at) = (OLD.id, OLD.county, OLD.rule, OLD.begun_at)
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
# As what else changes a directory (0005): at the commit, so that nobody waits for an import.
# Compared as bytes: a dump is restored without a search path, where geometries have no equality.
_MEMBER = """
    CREATE FUNCTION member_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        told text := 'ground' || NEW.county || pg_current_xact_id()::text;
    BEGIN
        IF current_setting('onegrid.told_ground', true) IS NOT DISTINCT FROM told
            OR NOT EXISTS (SELECT FROM membership WHERE building_id = NEW.id) THEN
            RETURN NULL;
        END IF;
        PERFORM set_config('onegrid.told_ground', told, true);
        INSERT INTO directory_version AS held (county, ground, staff) VALUES (NEW.county, 1, 0)
            ON CONFLICT ON CONSTRAINT pk_directory_version DO UPDATE SET ground = held.ground + 1;
        PERFORM pg_notify('directory', NEW.county);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER member_moved AFTER UPDATE OF geom ON building
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.geom::bytea IS DISTINCT FROM NEW.geom::bytea) EXECUTE FUNCTION member_moved();
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


def _earlier(name: str) -> Any:
    return import_module(f"data.migrations.versions.{name}")


def _chain(*, sound: bool) -> str:
    before = _earlier("0021_retention")
    # Its own words, once.
    chain: str = before._CHAIN.replace("        -- expired\n", before._EXPIRED)  # noqa: SLF001
    return chain.replace(_SEAL, _SOUND) if sound else chain


def _note(at: str) -> str:
    """What notes reads, with their times as given or as an expression has them."""
    note: str = _earlier("0019_sealed_reads")._NOTE  # noqa: SLF001
    note = note.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    return note.replace("SELECT at,", f"SELECT {at},")


def _run(*statements: str) -> None:
    for statement in statements:
        # The driver would read the percent signs as parameters.
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def upgrade() -> None:
    """Look at what is written, keep what was done, and follow."""
    _run(
        _chain(sound=True),
        # Reads wait in memory while the database is away: for days, not for months.
        _note("greatest(at, now() - interval '28 days')"),
        *(_RUNS, _MEMBER, _EMPTIED),
    )


def downgrade() -> None:
    """As it was."""
    _run(
        "DROP FUNCTION addresses_emptied CASCADE",
        "DROP FUNCTION keep_retention_run CASCADE",
        "DROP FUNCTION member_moved CASCADE",
        _note("at"),
        _chain(sound=False),
    )
