"""What a directory and the roads are has marks that no others ever have, as addresses do (0022).

A number that counts changes comes again where a database is restored and goes on another way.
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


def upgrade() -> None:
    """Add the marks, and let each change make another one."""
    op.get_bind().exec_driver_sql(_MARKS)


def downgrade() -> None:
    """Count alone."""
    op.get_bind().exec_driver_sql("""
        DROP FUNCTION mark_directory CASCADE;
        DROP FUNCTION mark_roads CASCADE;
        ALTER TABLE directory_version DROP COLUMN ground_mark, DROP COLUMN staff_mark;
        ALTER TABLE road_version DROP COLUMN mark;
    """)
