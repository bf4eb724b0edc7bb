"""Profiles hold ranges: the least and most that fit, and what is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PLACES = ("urban", "rural")


def upgrade() -> None:
    """Name the upper ends, add the lower ones and the measure."""
    for place in _PLACES:
        op.alter_column("profile", f"{place}_max", new_column_name=f"{place}_most")
        op.add_column("profile", sa.Column(f"{place}_least", sa.Integer(), nullable=True))
    op.add_column(
        "profile",
        sa.Column("measure", sa.String(10), server_default="households", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_profile_measure"), "profile", "measure IN ('households', 'people')"
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_constraint(op.f("ck_profile_measure"), "profile")
    op.drop_column("profile", "measure")
    for place in _PLACES:
        op.drop_column("profile", f"{place}_least")
        op.alter_column("profile", f"{place}_most", new_column_name=f"{place}_max")
