"""What the addresses are has a mark that no other addresses ever have, and changes with footprints.

A number that counts changes comes again where a database is restored and goes on another way: what
was made from the one would be taken for the other.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_CHANGED = """
    CREATE OR REPLACE FUNCTION addresses_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO address_version AS held (county, version)
        SELECT DISTINCT changed.county, 1 FROM changed ORDER BY 1
        ON CONFLICT ON CONSTRAINT pk_address_version DO UPDATE SET version = held.version + 1{also};
        PERFORM pg_notify('directory', told.county) FROM
            (SELECT DISTINCT changed.county FROM changed) AS told;
        RETURN NULL;
    END $$
"""
# In which grids an address lies is measured by its building's footprint.
_FOOTPRINTS = """
    CREATE FUNCTION footprints_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE address_version SET version = version + 1, mark = gen_random_uuid()
        WHERE county IN (SELECT changed.county FROM previous JOIN changed USING (id)
                         WHERE previous.geom IS DISTINCT FROM changed.geom);
        IF FOUND THEN
            PERFORM pg_notify('directory', told.county) FROM
                (SELECT DISTINCT changed.county FROM changed) AS told;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER building_footprints AFTER UPDATE ON building
        REFERENCING OLD TABLE AS previous NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION footprints_changed()
"""


def upgrade() -> None:
    """Add the mark, and let footprints count."""
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE address_version ADD COLUMN mark uuid NOT NULL DEFAULT gen_random_uuid()")
    run(_CHANGED.format(also=", mark = gen_random_uuid()"))
    run(_FOOTPRINTS)


def downgrade() -> None:
    """Count changes alone."""
    run = op.get_bind().exec_driver_sql
    run("DROP FUNCTION footprints_changed CASCADE")
    run(_CHANGED.format(also=""))
    run("ALTER TABLE address_version DROP COLUMN mark")
