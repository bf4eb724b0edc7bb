"""The private cluster's owner: a role that migrates and keeps house, and is no superuser.

What stands in the database, a restored backup's triggers among it, runs with the rights of whoever
works with it: the owner may read no file of the machine and start no program there.
"""

import psycopg
from psycopg import sql

__all__ = ["OWNER_ROLE", "give_to_owner"]

OWNER_ROLE = "onegrid_owner"
# A cluster of an earlier version: everything in it was the superuser's. Sequences of a column and
# what belongs to an extension go with these.
_OTHERS = """
    WITH ours AS (SELECT oid, nspname FROM pg_namespace
            WHERE nspname IN ('public', 'jobs', 'audit')),
        owner AS (SELECT oid FROM pg_roles WHERE rolname = %(owner)s),
        fixed AS (SELECT classid, objid FROM pg_depend
            WHERE deptype IN ('e', 'a', 'i') AND objid <> refobjid)
    SELECT format('SCHEMA %%I', nspname) FROM pg_namespace, owner
        WHERE nspname IN ('public', 'jobs', 'audit') AND nspowner <> owner.oid
        AND nspowner::regrole::text <> 'pg_database_owner'
    UNION ALL SELECT format('%%s %%s', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, c.oid::regclass)
        FROM pg_class AS c JOIN ours ON ours.oid = relnamespace, owner
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relowner <> owner.oid
        AND (relispartition OR ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM fixed))
    UNION ALL SELECT format('ROUTINE %%s', p.oid::regprocedure)
        FROM pg_proc AS p JOIN ours ON ours.oid = pronamespace, owner
        WHERE proowner <> owner.oid
        AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM fixed)
    UNION ALL SELECT format('TYPE %%s', t.oid::regtype)
        FROM pg_type AS t JOIN ours ON ours.oid = typnamespace
        LEFT JOIN pg_class AS c ON c.oid = typrelid, owner
        WHERE typowner <> owner.oid AND (typtype IN ('e', 'd') OR c.relkind = 'c')
        AND ('pg_type'::regclass, t.oid) NOT IN (SELECT * FROM fixed)
"""


def give_to_owner(
    connection: psycopg.Connection[tuple[object, ...]], extensions: tuple[str, ...]
) -> None:
    """Make the extensions, which a superuser must, and give the rest of a database to its owner.

    Parameters
    ----------
    connection
        To the database, as a superuser.
    """
    owner = sql.Identifier(OWNER_ROLE)
    with connection.transaction():
        for name in extensions:
            made = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
            connection.execute(made)
        # A dump holds the rows of it that are not the extension's own.
        connection.execute(sql.SQL("GRANT INSERT ON spatial_ref_sys TO {}").format(owner))
        for row in connection.execute(_OTHERS, {"owner": OWNER_ROLE}).fetchall():
            connection.execute(f"ALTER {row[0]} OWNER TO {OWNER_ROLE}".encode())
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))
