"""The tables of the foundation."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_geospatial_table(
        "building",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("use", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("levels", sa.Integer(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("households", sa.Integer(), nullable=True),
        sa.Column("households_source", sa.String(length=10), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint(
            "(households IS NULL) = (households_source IS NULL) AND households_source IN ('counted', 'spread', 'estimated')",
            name=op.f("ck_building_households_source"),
        ),
        sa.CheckConstraint("households >= 0", name=op.f("ck_building_households")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_building")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_building_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_building_geom",
        "building",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_geospatial_table(
        "division",
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("parent", sa.String(length=12), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("ur_code", sa.String(length=3), nullable=True),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint("code ~ '^\\d{12}$'", name=op.f("ck_division_code")),
        sa.CheckConstraint(
            "level IN ('province', 'city', 'county', 'town', 'village')",
            name=op.f("ck_division_level"),
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_division")),
        sa.UniqueConstraint("county", "level", "source_ref", name="uq_division_source"),
    )
    op.create_geospatial_index(
        "idx_division_geom",
        "division",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_index("ix_division_county_level", "division", ["county", "level"], unique=False)
    op.create_index("ix_division_parent", "division", ["parent"], unique=False)
    op.create_table(
        "generation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="draft", nullable=False),
        sa.Column("base_id", sa.BigInteger(), nullable=True),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("valid", postgresql.TSTZRANGE(), nullable=True),
        sa.Column("county", sa.String(length=6), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("county"), "="),
            (sa.column("valid"), "&&"),
            where=sa.text("valid IS NOT NULL"),
            using="gist",
            name="ex_generation_valid",
        ),
        sa.CheckConstraint(
            "(state = 'published') = (valid IS NOT NULL)", name=op.f("ck_generation_valid")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'discarded')", name=op.f("ck_generation_state")
        ),
        sa.ForeignKeyConstraint(["base_id"], ["generation.id"], name=op.f("fk_generation_base_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation")),
    )
    op.create_geospatial_table(
        "household_unit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("households", sa.Integer(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("community_ref", sa.String(length=200), nullable=True),
        sa.Column("town_ref", sa.String(length=200), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_unit")),
        sa.UniqueConstraint(
            "county", "source_ref", name=op.f("uq_household_unit_county_source_ref")
        ),
    )
    op.create_geospatial_index(
        "idx_household_unit_geom",
        "household_unit",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_table(
        "incident_class",
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_en", sa.String(length=100), nullable=False),
        sa.Column("group", sa.String(length=30), nullable=False),
        sa.Column("responder_role", sa.String(length=30), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_incident_class")),
    )
    op.create_table(
        "profile",
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("urban_households", sa.Integer(), nullable=False),
        sa.Column("urban_max", sa.Integer(), nullable=True),
        sa.Column("rural_households", sa.Integer(), nullable=False),
        sa.Column("rural_max", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_profile")),
    )
    op.create_geospatial_table(
        "railway",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("bridge", sa.Boolean(), nullable=False),
        sa.Column("tunnel", sa.Boolean(), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="LINESTRING",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_railway")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_railway_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_railway_geom",
        "railway",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_geospatial_table(
        "service_area",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_area")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_service_area_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_service_area_geom",
        "service_area",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_geospatial_table(
        "street",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("oneway", sa.Boolean(), nullable=False),
        sa.Column("bridge", sa.Boolean(), nullable=False),
        sa.Column("tunnel", sa.Boolean(), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="LINESTRING",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_street")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_street_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_street_geom",
        "street",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_geospatial_table(
        "water",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_water")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_water_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_water_geom",
        "water",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_geospatial_table(
        "zone",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zone")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_zone_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_zone_geom", "zone", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={}
    )
    op.create_geospatial_table(
        "address",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(length=400), nullable=False),
        sa.Column("road", sa.String(length=200), nullable=True),
        sa.Column("door", sa.String(length=40), nullable=True),
        sa.Column("estate", sa.String(length=200), nullable=True),
        sa.Column("building_no", sa.String(length=40), nullable=True),
        sa.Column("building_id", sa.BigInteger(), nullable=True),
        sa.Column("raw_x", sa.Double(), nullable=False),
        sa.Column("raw_y", sa.Double(), nullable=False),
        sa.Column("raw_crs", sa.String(length=40), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["building_id"],
            ["building.id"],
            name=op.f("fk_address_building_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_address_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_address_geom",
        "address",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_index("ix_address_building", "address", ["building_id"], unique=False)
    op.create_index(
        "ix_address_text_trgm",
        "address",
        ["text"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={"text": "gist_trgm_ops"},
    )
    op.create_geospatial_table(
        "block",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("community", sa.String(length=12), nullable=False),
        sa.Column("zone_id", sa.BigInteger(), nullable=True),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="POLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint("households >= 0", name=op.f("ck_block_households")),
        sa.ForeignKeyConstraint(["community"], ["division.code"], name=op.f("fk_block_community")),
        sa.ForeignKeyConstraint(["parent_id"], ["block.id"], name=op.f("fk_block_parent_id")),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name=op.f("fk_block_zone_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block")),
    )
    op.create_geospatial_index(
        "idx_block_geom",
        "block",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_index("ix_block_community", "block", ["community"], unique=False)
    op.create_table(
        "edit",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column(
            "arguments",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["generation.id"],
            name=op.f("fk_edit_generation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("generation_id", "position", name=op.f("pk_edit")),
    )
    op.create_geospatial_table(
        "grid",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("community", sa.String(length=12), nullable=False),
        sa.Column("zone_id", sa.BigInteger(), nullable=True),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("valid", postgresql.TSTZRANGE(), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="MULTIPOLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("code"), "="),
            (sa.column("valid"), "&&"),
            using="gist",
            name="ex_grid_code_valid",
        ),
        sa.CheckConstraint("kind IN ('urban', 'rural', 'dedicated')", name=op.f("ck_grid_kind")),
        sa.ForeignKeyConstraint(["community"], ["division.code"], name=op.f("fk_grid_community")),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generation.id"], name=op.f("fk_grid_generation_id")
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name=op.f("fk_grid_zone_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grid")),
    )
    op.create_geospatial_index(
        "idx_grid_geom", "grid", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={}
    )
    op.create_index("ix_grid_community", "grid", ["community"], unique=False)
    op.create_index(
        "ix_grid_county_valid", "grid", ["county", "valid"], unique=False, postgresql_using="gist"
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=True),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_role_grant_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["division"], ["division.code"], name=op.f("fk_role_grant_division")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint(
            "account_id", "role", "division", name=op.f("uq_role_grant_account_id_role_division")
        ),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_session_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    op.create_geospatial_table(
        "unit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("duty_phone", sa.String(length=40), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=True),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(["division"], ["division.code"], name=op.f("fk_unit_division")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_unit_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_unit_geom", "unit", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={}
    )
    op.create_table(
        "grid_block",
        sa.Column("grid_id", sa.BigInteger(), nullable=False),
        sa.Column("block_id", sa.BigInteger(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_grid_block_block_id")),
        sa.ForeignKeyConstraint(
            ["grid_id"], ["grid.id"], name=op.f("fk_grid_block_grid_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("grid_id", "block_id", name=op.f("pk_grid_block")),
    )
    op.create_index("ix_grid_block_block", "grid_block", ["block_id"], unique=False)
    op.create_table(
        "grid_cell",
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("grid_id", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["grid_id"], ["grid.id"], name=op.f("fk_grid_cell_grid_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cell", "grid_id", name=op.f("pk_grid_cell")),
    )
    op.create_index("ix_grid_cell_grid", "grid_cell", ["grid_id"], unique=False)
    op.create_geospatial_table(
        "incident",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("class_code", sa.String(length=30), nullable=False),
        sa.Column("severity", sa.String(length=10), server_default="general", nullable=False),
        sa.Column("state", sa.String(length=12), server_default="accepted", nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("raw_x", sa.Double(), nullable=False),
        sa.Column("raw_y", sa.Double(), nullable=False),
        sa.Column("raw_crs", sa.String(length=40), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("grid_id", sa.BigInteger(), nullable=True),
        sa.Column("grid_count", sa.Integer(), nullable=True),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint(
            "severity IN ('general', 'difficult', 'major')", name=op.f("ck_incident_severity")
        ),
        sa.CheckConstraint(
            "state IN ('accepted', 'dispatched', 'closed', 'void')", name=op.f("ck_incident_state")
        ),
        sa.ForeignKeyConstraint(
            ["class_code"], ["incident_class.code"], name=op.f("fk_incident_class_code")
        ),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name=op.f("fk_incident_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_incident_county_source_ref")),
    )
    op.create_geospatial_index(
        "idx_incident_geom",
        "incident",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_index(
        "ix_incident_county_state", "incident", ["county", "state", "reported_at"], unique=False
    )
    op.create_index("ix_incident_grid", "incident", ["grid_id"], unique=False)
    op.create_table(
        "lineage",
        sa.Column("child_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("household_share", sa.Double(), nullable=False),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"], ["grid.id"], name=op.f("fk_lineage_child_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["grid.id"], name=op.f("fk_lineage_parent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("child_id", "parent_id", name=op.f("pk_lineage")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("duty_phone", sa.String(length=40), nullable=True),
        sa.Column("private_phone", sa.String(length=40), nullable=True),
        sa.Column("private_phone_consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("area_ref", sa.String(length=200), nullable=True),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint("mode IN ('car', 'moped', 'foot')", name=op.f("ck_person_mode")),
        sa.CheckConstraint(
            "private_phone IS NULL OR private_phone_consent_at IS NOT NULL",
            name=op.f("ck_person_private_phone_consent"),
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_person_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("county", "source_ref", name=op.f("uq_person_county_source_ref")),
    )
    op.create_table(
        "dispatch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="open", nullable=False),
        sa.Column("travel_time_s", sa.Double(), nullable=True),
        sa.Column("distance_m", sa.Double(), nullable=True),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'done', 'cancelled')", name=op.f("ck_dispatch_state")
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_dispatch_incident_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_dispatch_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatch")),
    )
    op.create_index("ix_dispatch_incident", "dispatch", ["incident_id"], unique=False)
    op.create_index(
        "uq_dispatch_open_person",
        "dispatch",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "incident_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_event_incident_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_event")),
    )
    op.create_index("ix_incident_event_incident", "incident_event", ["incident_id"], unique=False)
    op.create_geospatial_table(
        "position",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_position_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_position")),
    )
    op.create_geospatial_index(
        "idx_position_geom",
        "position",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_table(
        "responsibility",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("holder", sa.String(length=1), server_default="A", nullable=False),
        sa.Column("grid_id", sa.BigInteger(), nullable=True),
        sa.Column("division", sa.String(length=12), nullable=True),
        sa.Column("service_area_id", sa.BigInteger(), nullable=True),
        sa.Column("valid", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("person_id"), "="),
            (sa.column("role"), "="),
            (sa.column("division"), "="),
            (sa.column("valid"), "&&"),
            using="gist",
            name="ex_responsibility_division",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("person_id"), "="),
            (sa.column("role"), "="),
            (sa.column("grid_id"), "="),
            (sa.column("valid"), "&&"),
            using="gist",
            name="ex_responsibility_grid",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("person_id"), "="),
            (sa.column("role"), "="),
            (sa.column("service_area_id"), "="),
            (sa.column("valid"), "&&"),
            using="gist",
            name="ex_responsibility_service_area",
        ),
        sa.CheckConstraint("holder IN ('A', 'B')", name=op.f("ck_responsibility_holder")),
        sa.CheckConstraint(
            "num_nonnulls(grid_id, division, service_area_id) = 1",
            name=op.f("ck_responsibility_one_area"),
        ),
        sa.ForeignKeyConstraint(
            ["division"], ["division.code"], name=op.f("fk_responsibility_division")
        ),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name=op.f("fk_responsibility_grid_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_responsibility_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_area_id"], ["service_area.id"], name=op.f("fk_responsibility_service_area_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responsibility")),
    )
    op.create_index(
        "ix_responsibility_county_valid",
        "responsibility",
        ["county", "valid"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "assignment",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("responsibility_id", sa.BigInteger(), nullable=False),
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
            name=op.f("fk_assignment_incident_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_assignment_person_id")),
        sa.ForeignKeyConstraint(
            ["responsibility_id"],
            ["responsibility.id"],
            name=op.f("fk_assignment_responsibility_id"),
        ),
        sa.PrimaryKeyConstraint("incident_id", "role", name=op.f("pk_assignment")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("assignment")
    op.drop_index(
        "ix_responsibility_county_valid", table_name="responsibility", postgresql_using="gist"
    )
    op.drop_table("responsibility")
    op.drop_geospatial_index(
        "idx_position_geom", table_name="position", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("position")
    op.drop_index("ix_incident_event_incident", table_name="incident_event")
    op.drop_table("incident_event")
    op.drop_index(
        "uq_dispatch_open_person", table_name="dispatch", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_index("ix_dispatch_incident", table_name="dispatch")
    op.drop_table("dispatch")
    op.drop_table("person")
    op.drop_table("lineage")
    op.drop_index("ix_incident_grid", table_name="incident")
    op.drop_index("ix_incident_county_state", table_name="incident")
    op.drop_geospatial_index(
        "idx_incident_geom", table_name="incident", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("incident")
    op.drop_index("ix_grid_cell_grid", table_name="grid_cell")
    op.drop_table("grid_cell")
    op.drop_index("ix_grid_block_block", table_name="grid_block")
    op.drop_table("grid_block")
    op.drop_geospatial_index(
        "idx_unit_geom", table_name="unit", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("unit")
    op.drop_table("session")
    op.drop_table("role_grant")
    op.drop_index("ix_grid_county_valid", table_name="grid", postgresql_using="gist")
    op.drop_index("ix_grid_community", table_name="grid")
    op.drop_geospatial_index(
        "idx_grid_geom", table_name="grid", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("grid")
    op.drop_table("edit")
    op.drop_index("ix_block_community", table_name="block")
    op.drop_geospatial_index(
        "idx_block_geom", table_name="block", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("block")
    op.drop_index(
        "ix_address_text_trgm",
        table_name="address",
        postgresql_using="gist",
        postgresql_ops={"text": "gist_trgm_ops"},
    )
    op.drop_index("ix_address_building", table_name="address")
    op.drop_geospatial_index(
        "idx_address_geom", table_name="address", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("address")
    op.drop_geospatial_index(
        "idx_zone_geom", table_name="zone", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("zone")
    op.drop_geospatial_index(
        "idx_water_geom", table_name="water", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("water")
    op.drop_geospatial_index(
        "idx_street_geom", table_name="street", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("street")
    op.drop_geospatial_index(
        "idx_service_area_geom",
        table_name="service_area",
        postgresql_using="gist",
        column_name="geom",
    )
    op.drop_geospatial_table("service_area")
    op.drop_geospatial_index(
        "idx_railway_geom", table_name="railway", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("railway")
    op.drop_table("profile")
    op.drop_table("incident_class")
    op.drop_geospatial_index(
        "idx_household_unit_geom",
        table_name="household_unit",
        postgresql_using="gist",
        column_name="geom",
    )
    op.drop_geospatial_table("household_unit")
    op.drop_table("generation")
    op.drop_index("ix_division_parent", table_name="division")
    op.drop_index("ix_division_county_level", table_name="division")
    op.drop_geospatial_index(
        "idx_division_geom", table_name="division", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("division")
    op.drop_geospatial_index(
        "idx_building_geom", table_name="building", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("building")
    op.drop_table("audit_log")
    op.drop_table("account")
