"""Receipt keys are each sender's own: what was taken before is found by the same sender again."""

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


def upgrade() -> None:
    """Say of each key whose it is."""
    op.get_bind().exec_driver_sql(_SENDERS)


def downgrade() -> None:
    """Keep keys apart without their senders: none that was taken is found again."""
    op.get_bind().exec_driver_sql("""
        DROP INDEX uq_incident_receipt;
        UPDATE incident SET receipt_key = md5(sender || ' ' || receipt_key)
            WHERE receipt_key IS NOT NULL;
        ALTER TABLE incident DROP COLUMN sender;
        CREATE UNIQUE INDEX uq_incident_receipt ON incident (county, receipt_key)
            WHERE receipt_key IS NOT NULL;
    """)
