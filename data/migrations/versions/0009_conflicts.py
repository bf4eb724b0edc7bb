"""What a draft had of a community before a replay in which its edits no longer applied."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and the rule that an edit in conflict breaks."""
    op.get_bind().exec_driver_sql("""
        CREATE TABLE draft_former (
            generation_id bigint NOT NULL CONSTRAINT fk_draft_former_generation_id
                REFERENCES generation (id) ON DELETE CASCADE,
            key varchar(80) NOT NULL,
            county varchar(6) NOT NULL,
            community varchar(12) NOT NULL CONSTRAINT fk_draft_former_community
                REFERENCES division (code),
            code varchar(20) NOT NULL,
            name varchar(200) NOT NULL,
            kind varchar(10) NOT NULL,
            households integer NOT NULL,
            geom geometry(MULTIPOLYGON, 4326) NOT NULL,
            CONSTRAINT pk_draft_former PRIMARY KEY (generation_id, key)
        );
        CREATE INDEX idx_draft_former_geom ON draft_former USING gist (geom);
        ALTER TABLE edit ADD COLUMN conflict_rule varchar(20) NOT NULL DEFAULT '';
    """)


def downgrade() -> None:
    """Drop it again."""
    op.get_bind().exec_driver_sql(
        "DROP TABLE draft_former; ALTER TABLE edit DROP COLUMN conflict_rule"
    )
