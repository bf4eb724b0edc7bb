"""Receipt keys are each sender's own; the log numbers itself, and makes no partition far from now.

What was taken before is found by the same sender again.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# The sender is who took the report, by its first event. What the program wrote before a key to
# keep senders apart goes: anybody could write it before a key of their own.
_SENDERS = """
    ALTER TABLE incident ADD COLUMN sender varchar(130) NOT NULL DEFAULT '';
    DROP INDEX uq_incident_receipt;
    UPDATE incident SET
        sender = channel || ':' || taken.actor,
        receipt_key = CASE
            WHEN channel = 'csv' AND receipt_key ^@ 'csv:'
                THEN substr(receipt_key, 5)
            WHEN channel IN ('video', 'public')
                AND receipt_key ^@ (regexp_replace(taken.actor, '^(intake|video):', '') || ':')
                THEN substr(receipt_key,
                    length(regexp_replace(taken.actor, '^(intake|video):', '')) + 2)
            ELSE receipt_key END
        FROM (SELECT DISTINCT ON (incident_id) incident_id, actor FROM incident_event
            WHERE kind = 'accept' ORDER BY incident_id, id) AS taken
        WHERE taken.incident_id = incident.id AND receipt_key IS NOT NULL;
    CREATE UNIQUE INDEX uq_incident_receipt ON incident (county, sender, receipt_key)
        WHERE receipt_key IS NOT NULL;
"""

# Both run as the owner. Whoever serves has no right on the numbers of the log, and does not write
# in the name of the operator, whose commands run as the owner.
_CHAIN = """
    CREATE OR REPLACE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
        IF NEW.actor = 'command line' AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
            RAISE EXCEPTION 'only the operator writes as the command line'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        PERFORM pg_advisory_xact_lock(20194, NEW.county::int);
        NEW.id := nextval(pg_get_serial_sequence('public.audit_log', 'id'));
        NEW.at := clock_timestamp();
        NEW.hash := audit_hash(coalesce((SELECT hash FROM audit_log
            WHERE county = NEW.county ORDER BY id DESC LIMIT 1), ''), NEW);
        RETURN NEW;
    END $$;
"""
_PARTITION = """
    CREATE OR REPLACE FUNCTION audit_read_partition(moment timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        first timestamptz := date_trunc('month', moment, 'UTC');
        part text := 'read_' || to_char(first AT TIME ZONE 'UTC', 'YYYY_MM');
    BEGIN
        IF moment NOT BETWEEN now() - interval '1 month' AND now() + interval '3 months' THEN
            RAISE EXCEPTION 'there are no reads of that month'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF to_regclass('audit.' || part) IS NOT NULL THEN RETURN; END IF;
        PERFORM pg_advisory_xact_lock(20195);
        IF to_regclass('audit.' || part) IS NOT NULL THEN RETURN; END IF;
        EXECUTE format(
            'CREATE TABLE audit.%I PARTITION OF audit_read FOR VALUES FROM (%L) TO (%L)',
            part, first, date_trunc('month', first + interval '32 days', 'UTC'));
        EXECUTE format(
            'CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    END $$;
"""


def upgrade() -> None:
    """Say of each key whose it is, and take from whoever serves what harms the log."""
    op.get_bind().exec_driver_sql(_SENDERS)
    op.get_bind().exec_driver_sql(_CHAIN)
    # The driver would read the percent signs as parameters.
    op.get_bind().exec_driver_sql(_PARTITION.replace("%", "%%"))


def downgrade() -> None:
    """Keep keys apart without their senders: none that was taken is found again.

    The functions stay as they are; earlier versions work with them.
    """
    op.get_bind().exec_driver_sql("""
        DROP INDEX uq_incident_receipt;
        UPDATE incident SET receipt_key = md5(sender || ' ' || receipt_key)
            WHERE receipt_key IS NOT NULL;
        ALTER TABLE incident DROP COLUMN sender;
        CREATE UNIQUE INDEX uq_incident_receipt ON incident (county, receipt_key)
            WHERE receipt_key IS NOT NULL;
    """)
