"""What a directory and the roads are has marks that no others ever have, as addresses do (0022).

A number that counts changes comes again where a database is restored and goes on another way. And
names of communities and owners of zones, which answers tell, are of the directory too. A run of
retention that was refused says which time the clock was held against.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_MARKS = """
    ALTER TABLE directory_version
        ADD COLUMN ground_mark uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD COLUMN staff_mark uuid NOT NULL DEFAULT gen_random_uuid();
    ALTER TABLE road_version ADD COLUMN mark uuid NOT NULL DEFAULT gen_random_uuid();
    ALTER TABLE retention_run ADD COLUMN held_against timestamptz;
    CREATE FUNCTION mark_directory() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.ground IS DISTINCT FROM OLD.ground THEN NEW.ground_mark := gen_random_uuid(); END IF;
        IF NEW.staff IS DISTINCT FROM OLD.staff THEN NEW.staff_mark := gen_random_uuid(); END IF;
        RETURN NEW;
    END $$;
    CREATE FUNCTION mark_roads() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.mark := gen_random_uuid();
        RETURN NEW;
    END $$;
    CREATE TRIGGER marked BEFORE UPDATE ON directory_version
        FOR EACH ROW EXECUTE FUNCTION mark_directory();
    CREATE TRIGGER marked BEFORE UPDATE ON road_version
        FOR EACH ROW EXECUTE FUNCTION mark_roads();
"""
_NAMES = """
    CREATE CONSTRAINT TRIGGER directory_changed AFTER UPDATE ON division
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name)
        EXECUTE FUNCTION directory_changed('ground');
    CREATE CONSTRAINT TRIGGER directory_changed AFTER UPDATE ON zone
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.owner IS DISTINCT FROM NEW.owner)
        EXECUTE FUNCTION directory_changed('ground');
"""


def upgrade() -> None:
    """Add the marks, let each change make another one, and follow names."""
    for statements in (_MARKS, _NAMES):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Count alone."""
    op.get_bind().exec_driver_sql("""
        DROP TRIGGER directory_changed ON division;
        DROP TRIGGER directory_changed ON zone;
        DROP FUNCTION mark_directory CASCADE;
        DROP FUNCTION mark_roads CASCADE;
        ALTER TABLE directory_version DROP COLUMN ground_mark, DROP COLUMN staff_mark;
        ALTER TABLE road_version DROP COLUMN mark;
        ALTER TABLE retention_run DROP COLUMN held_against;
    """)
