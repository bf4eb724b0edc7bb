"""Logs as they will be once time has passed: moved back, sealed and chained anew."""

from sqlalchemy import text

from data.database import Database

__all__ = ["age_logs"]

_PARTITIONS = text("""
    DO $$
    DECLARE month timestamptz;
    BEGIN
        FOR month IN SELECT DISTINCT date_trunc('month', at, 'UTC') FROM audit_aged LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS audit.%I PARTITION OF audit_read '
                'FOR VALUES FROM (%L) TO (%L)',
                'read_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'),
                month, date_trunc('month', month + interval '32 days', 'UTC'));
        END LOOP;
    END $$
""")
_CHAIN = text("""
    DO $$
    DECLARE
        entry audit_log;
        before text;
    BEGIN
        FOR entry IN SELECT * FROM audit_log ORDER BY county, id LOOP
            SELECT hash INTO before FROM audit_log
                WHERE county = entry.county AND id < entry.id ORDER BY id DESC LIMIT 1;
            IF NOT FOUND THEN
                SELECT hash INTO before FROM audit.checkpoint
                    WHERE county = entry.county AND log = 'audit_log';
            END IF;
            entry.hash := audit_hash(coalesce(before, ''), entry);
            UPDATE audit_log SET hash = entry.hash WHERE id = entry.id;
        END LOOP;
    END $$
""")


def age_logs(database: Database, days: float) -> None:
    """Move all that stands in the logs so many days back; it is as whole as before."""
    key = {"days": days}
    with database.session() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "CREATE TEMP TABLE audit_aged ON COMMIT DROP AS SELECT id, at - CAST(:days AS "
                "float) * interval '1 day' AS at, county, batch, actor, action, subject "
                "FROM audit_read"
            ),
            key,
        )
        session.execute(_PARTITIONS)
        session.execute(text("DELETE FROM audit_read"))
        session.execute(
            text(
                "INSERT INTO audit_read (id, at, county, batch, actor, action, subject) "
                "OVERRIDING SYSTEM VALUE SELECT * FROM audit_aged"
            )
        )
        session.execute(
            text("UPDATE audit_log SET at = at - CAST(:days AS float) * interval '1 day'"), key
        )
        session.execute(
            text(
                "UPDATE audit_log SET detail = jsonb_build_object('hash', audit_read_hash(county, "
                "subject::bigint), 'rows', (SELECT count(*) FROM audit_read AS held WHERE "
                "held.county = audit_log.county AND batch = audit_log.subject::bigint)) "
                "WHERE action = 'reads.seal'"
            )
        )
        session.execute(_CHAIN)
