"""What time brings, and when it was last done."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep when each piece of periodic work was done; the queue knows of none any more."""
    op.get_bind().exec_driver_sql("""
        CREATE TABLE tick (
            county varchar(6) NOT NULL,
            name varchar(40) NOT NULL,
            done_at timestamptz NOT NULL DEFAULT '-infinity',
            tried_at timestamptz NOT NULL DEFAULT now(),
            every_s double precision NOT NULL,
            failures integer NOT NULL DEFAULT 0,
            failing varchar(200) NOT NULL DEFAULT '',
            CONSTRAINT pk_tick PRIMARY KEY (county, name)
        ) WITH (fillfactor = 50);
        DELETE FROM jobs.procrastinate_periodic_defers;
        DELETE FROM jobs.procrastinate_jobs WHERE queue_name = 'clock' AND status = 'todo';
    """)


def downgrade() -> None:
    """Forget it."""
    op.get_bind().exec_driver_sql("DROP TABLE tick")
