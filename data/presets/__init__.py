"""Rules that ship with the program, as data with their sources, for every county."""

import json
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.store import upsert

__all__ = ["ALL_COUNTIES", "seed_presets"]

ALL_COUNTIES = "000000"
_TABLES = (
    "profile",
    "incident_class",
    "role",
    "team",
    "responsibility_rule",
    "flow",
    "deadline_rule",
    "duty_list",
    "card_layout",
)


def seed_presets(session: Session) -> None:
    """Insert the presets that are not held yet; edited ones stay as they are."""
    for table in _TABLES:
        path = Path(__file__).parent / f"{table.replace('class', 'classe')}s.json"
        rows = json.loads(path.read_text(encoding="utf-8"))
        held = set(session.scalars(text(f"SELECT code FROM {table}")))  # noqa: S608 - two constants
        fresh = [row | {"county": ALL_COUNTIES} for row in rows if row["code"] not in held]
        upsert(session, table, fresh, key=())
