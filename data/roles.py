"""Roles by the names that lists give them, and ways of moving by their Chinese names."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Role

__all__ = ["MODES", "preset_role_names", "role_name_in", "roles_by_name"]

MODES = {"car": "car", "moped": "moped", "foot": "foot"} | {
    "汽车": "car",
    "警车": "car",
    "电动车": "moped",
    "步行": "foot",
}


def roles_by_name(session: Session) -> dict[str, str]:
    """Every code, name and other name of a role → its code."""
    found: dict[str, str] = {}
    for role in session.scalars(select(Role).order_by(Role.code)):
        for name in (role.code, role.name, role.name_en, *role.aliases):
            found.setdefault(name, role.code)
    return found


@cache
def preset_role_names(language: str) -> dict[str, str]:
    """Code → name in a language (``zh`` or ``en``) of the roles that ship with the program."""
    path = Path(__file__).parent / "presets" / "roles.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {row["code"]: row["name" if language == "zh" else "name_en"] for row in rows}


def role_name_in(language: str) -> Callable[[str], str]:
    """The function from a role's code to its name in a language; an unknown code stays."""
    names = preset_role_names(language)
    return lambda code: names.get(code, code)
