"""The secret by which whoever reported a case follows and rates it; existing cases get one."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; the default is of 122 random bits, another for each row."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE incident ADD COLUMN follow_key varchar(32) NOT NULL "
        "DEFAULT replace(gen_random_uuid()::text, '-', '')"
    )


def downgrade() -> None:
    """Drop it again."""
    op.get_bind().exec_driver_sql("ALTER TABLE incident DROP COLUMN follow_key")
