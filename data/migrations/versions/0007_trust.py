"""Lockout and idle logout, grants by area and class, and a chained audit log."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ACCOUNTS = """
    ALTER TABLE account
        ADD COLUMN failures integer NOT NULL DEFAULT 0,
        ADD COLUMN locked_until timestamptz;
    ALTER TABLE session ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
    ALTER TABLE role_grant
        ADD COLUMN class_code varchar(30)
            CONSTRAINT fk_role_grant_class_code REFERENCES incident_class (code),
        DROP CONSTRAINT uq_role_grant_account_id_role_division;
    CREATE UNIQUE INDEX uq_role_grant ON role_grant
        (account_id, role, coalesce(division, ''), coalesce(class_code, ''));
    -- It stood for every role; what is to go on must be granted by name.
    INSERT INTO role_grant (county, account_id, role)
        SELECT held.county, held.account_id, meant.role FROM role_grant AS held
        CROSS JOIN (VALUES ('planner'), ('dispatcher')) AS meant (role)
        WHERE held.role = 'administrator'
        ON CONFLICT DO NOTHING;
"""

# The lock of a county's chain is held until the commit: entries are written last (data.audit).
# They are numbered under it, so that the order of the numbers is the order of the chain.
_AUDIT = """
    ALTER TABLE audit_log
        ADD COLUMN subject varchar(200) NOT NULL DEFAULT '',
        ADD COLUMN hash varchar(64) NOT NULL DEFAULT '';
    CREATE INDEX ix_audit_log_county ON audit_log (county, id);
    CREATE FUNCTION audit_hash(before text, entry audit_log) RETURNS text
    LANGUAGE sql STABLE AS $$
        SELECT encode(sha256(convert_to(json_build_array(
            before, entry.id, entry.county, extract(epoch FROM entry.at), entry.actor,
            entry.action, entry.subject, entry.detail)::text, 'UTF8')), 'hex')
    $$;
    CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(20194, NEW.county::int);
        NEW.id := nextval(pg_get_serial_sequence('audit_log', 'id'));
        NEW.at := clock_timestamp();
        NEW.hash := audit_hash(coalesce((SELECT hash FROM audit_log
            WHERE county = NEW.county ORDER BY id DESC LIMIT 1), ''), NEW);
        RETURN NEW;
    END $$;
    CREATE TRIGGER chain_audit BEFORE INSERT ON audit_log
        FOR EACH ROW EXECUTE FUNCTION chain_audit();
"""


def upgrade() -> None:
    """Add the columns, the index of grants, and the chain."""
    for statements in (_ACCOUNTS, _AUDIT):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop them again."""
    op.get_bind().exec_driver_sql("""
        DROP TRIGGER chain_audit ON audit_log;
        DROP FUNCTION chain_audit();
        DROP FUNCTION audit_hash(text, audit_log);
        DROP INDEX ix_audit_log_county;
        ALTER TABLE audit_log DROP COLUMN hash, DROP COLUMN subject;
        DROP INDEX uq_role_grant;
        DELETE FROM role_grant AS more USING role_grant AS first
            WHERE first.account_id = more.account_id AND first.role = more.role
            AND first.division IS NOT DISTINCT FROM more.division AND first.id < more.id;
        ALTER TABLE role_grant DROP COLUMN class_code,
            ADD CONSTRAINT uq_role_grant_account_id_role_division
            UNIQUE (account_id, role, division);
        ALTER TABLE session DROP COLUMN seen_at;
        ALTER TABLE account DROP COLUMN failures, DROP COLUMN locked_until;
    """)
