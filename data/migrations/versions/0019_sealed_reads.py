"""Reads are written and sealed by the owner's function; the chain takes no old view of itself.

Whoever serves could put a read into a batch that was sealed, with a number and a time of choice,
seal what is not so, or note a change in a transaction that sees the chain as it was before another
entry: each looked like a forgery from then on, and hid the next.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NOTE = """
    CREATE FUNCTION audit_note_reads(
        of_county text, ats timestamptz[], actors text[], actions text[], subjects text[]
    ) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        number bigint := nextval('audit.batch');
    BEGIN
        INSERT INTO audit_read (at, county, batch, actor, action, subject)
            SELECT at, of_county, number, actor, action, subject
            FROM unnest(ats, actors, actions, subjects) AS new (at, actor, action, subject);
        INSERT INTO audit_log (county, actor, action, subject, detail)
            VALUES (of_county, 'system', 'reads.seal', number::text, '{}');
        RETURN number;
    END $$;
    REVOKE ALL ON FUNCTION audit_note_reads(text, timestamptz[], text[], text[], text[])
        FROM PUBLIC;
"""
# A seal says what is so, whoever writes it.
_CHAIN = """
    CREATE OR REPLACE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
        IF NEW.actor = 'command line' AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
            RAISE EXCEPTION 'only the operator writes as the command line'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'an entry of the log is written in a transaction that is read committed'
                USING ERRCODE = 'invalid_transaction_state';
        END IF;
        IF NEW.action = 'reads.seal' THEN
            SELECT jsonb_build_object('rows', count(*), 'hash',
                    audit_read_hash(NEW.county, NEW.subject::bigint)) INTO NEW.detail
                FROM audit_read WHERE county = NEW.county AND batch = NEW.subject::bigint
                HAVING count(*) > 0;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'there are no reads of batch %', NEW.subject
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
        END IF;
        PERFORM pg_advisory_xact_lock(20194, NEW.county::int);
        NEW.id := nextval(pg_get_serial_sequence('public.audit_log', 'id'));
        NEW.at := clock_timestamp();
        NEW.hash := audit_hash(coalesce((SELECT hash FROM audit_log
            WHERE county = NEW.county ORDER BY id DESC LIMIT 1), ''), NEW);
        RETURN NEW;
    END $$;
"""


def upgrade() -> None:
    """Make the function, and have the chain look at what it is told."""
    for statements in (_NOTE, _CHAIN):
        # The driver would read the percent signs as parameters.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """Drop the function; an earlier version writes reads itself, and seals them rightly."""
    op.get_bind().exec_driver_sql(
        "DROP FUNCTION audit_note_reads(text, timestamptz[], text[], text[], text[])"
    )
