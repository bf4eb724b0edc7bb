"""Uploads: how often a job was tried, and in which of its author's lanes it runs."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count the tries of a job."""
    op.get_bind().exec_driver_sql("""
        ALTER TABLE assign_job
            ADD COLUMN tries integer NOT NULL DEFAULT 0,
            ADD COLUMN lane integer NOT NULL DEFAULT 0;
        CREATE INDEX ix_assign_job_author ON assign_job (county, author, state);
    """)


def downgrade() -> None:
    """Count no more."""
    op.get_bind().exec_driver_sql("""
        DROP INDEX ix_assign_job_author;
        ALTER TABLE assign_job DROP COLUMN tries, DROP COLUMN lane;
    """)
