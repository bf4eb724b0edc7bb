"""Names that somebody has typed, put into every column of words that the database has."""

from sqlalchemy import text

from data.database import Database

__all__ = ["plant"]

# Columns with words that somebody has typed; codes, states and kinds are the program's own.
TYPED = (
    "'name', 'name_en', 'title', 'words', 'description', 'reason', 'text', 'road', 'door', "
    "'estate', 'building_no', 'unit_no', 'room', 'duty_phone', 'private_phone', 'zone_name', "
    "'owner', 'alias', 'area_ref', 'note', 'author', 'community_ref', 'town_ref', 'source', "
    "'source_ref', 'phone', 'address', 'zone_owner', 'detail'"
)
# What a rule of the table wants beside it.
ALSO = {"person.private_phone": ", private_phone_consent_at = now()"}


def plant(database: Database, short: str, long: str) -> set[str]:
    """Fill each column of words, by its size; return those where there was something to fill."""
    planted = set()
    with database.session() as session:
        # Logs that are only added to hold words too: whoever wrote them once had a way in.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        columns = session.execute(
            text(
                "SELECT table_name, column_name, coalesce(character_maximum_length, 4000) AS size "
                "FROM information_schema.columns JOIN information_schema.tables "
                "USING (table_schema, table_name) WHERE table_schema = 'public' "
                "AND table_type = 'BASE TABLE' AND data_type IN ('text', 'character varying') "
                f"AND column_name IN ({TYPED}) AND table_name NOT LIKE 'procrastinate%'"
            )
        ).all()
        for row in columns:
            value = (long if row.size >= len(long) + 12 else short)[: row.size]
            unique = "|| row_number" if row.size >= len(value) + 12 else ""
            more = ALSO.get(f"{row.table_name}.{row.column_name}", "")
            statement = (
                f"UPDATE {row.table_name} SET {row.column_name} = :value {unique} {more} "
                "FROM (SELECT "
                "ctid AS place, row_number() OVER () "
                f"FROM {row.table_name}) AS n WHERE {row.table_name}.ctid = n.place"
            )
            if session.execute(text(statement), {"value": value}).rowcount:
                planted.add(f"{row.table_name}.{row.column_name}")
    return planted
