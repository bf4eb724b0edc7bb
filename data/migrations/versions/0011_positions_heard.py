"""Positions say when the database heard them: who follows them reads what is new."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the time; a trigger keeps it, whoever writes."""
    op.get_bind().exec_driver_sql("""
        ALTER TABLE position ADD COLUMN heard_at timestamptz NOT NULL DEFAULT clock_timestamp();
        CREATE INDEX ix_position_heard ON position (county, heard_at);
        CREATE FUNCTION position_heard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.heard_at := clock_timestamp();
            RETURN NEW;
        END $$;
        CREATE TRIGGER position_heard BEFORE INSERT OR UPDATE ON position
            FOR EACH ROW EXECUTE FUNCTION position_heard();
    """)


def downgrade() -> None:
    """Drop it again."""
    op.get_bind().exec_driver_sql("""
        DROP TRIGGER position_heard ON position;
        DROP FUNCTION position_heard();
        ALTER TABLE position DROP COLUMN heard_at;
    """)
