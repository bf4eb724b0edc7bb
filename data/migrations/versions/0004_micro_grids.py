"""Micro-grids of published grids, the buildings in each, and their size in a profile."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the sizes."""
    op.create_table(
        "micro_grid",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("grid_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(24), nullable=False),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("geom", Geometry("MULTIPOLYGON", srid=4326), nullable=False),
        sa.Column("county", sa.String(6), nullable=False),
        sa.ForeignKeyConstraint(
            ["grid_id"], ["grid.id"], name=op.f("fk_micro_grid_grid_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_micro_grid")),
        sa.UniqueConstraint("grid_id", "code", name=op.f("uq_micro_grid_grid_id_code")),
    )
    op.create_table(
        "micro_grid_building",
        sa.Column("micro_grid_id", sa.BigInteger(), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("county", sa.String(6), nullable=False),
        sa.ForeignKeyConstraint(
            ["micro_grid_id"],
            ["micro_grid.id"],
            name=op.f("fk_micro_grid_building_micro_grid_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["building_id"],
            ["building.id"],
            name=op.f("fk_micro_grid_building_building_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "micro_grid_id", "building_id", name=op.f("pk_micro_grid_building")
        ),
    )
    op.create_index("ix_micro_grid_building_building", "micro_grid_building", ["building_id"])
    for name, size in (("micro_least", "30"), ("micro_most", "50")):
        op.add_column("profile", sa.Column(name, sa.Integer(), server_default=size, nullable=False))
    op.execute("UPDATE profile SET micro_least = 50, micro_most = 80 WHERE code = 'zhoushan'")


def downgrade() -> None:
    """Drop what was added."""
    for name in ("micro_least", "micro_most"):
        op.drop_column("profile", name)
    op.drop_table("micro_grid_building")
    op.drop_table("micro_grid")
