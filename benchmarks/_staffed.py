"""A staffed county over given areas, in the database: what `benchmarks.who` asks.

Areas are the grids. Twenty of them in a row are a community, twenty communities a town. Each grid
has an A and a B gridworker, each community a director, a mediator, a doctor, an electrician and a
cadre, each three communities a police beat with two officers; twelve departments with rosters
answer for the county, each for classes of its own. One person in twenty is away, half of them
with a deputy.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import Session

from benchmarks._places import Areas
from data.presets import seed_presets
from data.store import upsert
from gis.shape import as_multipolygon

__all__ = ["COUNTY", "make_staffed"]

Row = dict[str, Any]
COUNTY = "990200"
_ALWAYS = "[2026-01-01T00:00:00+08:00,)"
_IN_COMMUNITY, _IN_TOWN = 20, 20
_TEAM = ("centre_director", "mediator", "doctor", "electrician", "cadre")
_DEPARTMENTS = ("E01", "E02", "E03", "E04", "E05", "P01", "P02", "P03", "P04", "D07", "D08", "D09")


def make_staffed(session: Session, areas: Areas, seed: int = 0) -> dict[str, int]:
    """Write the county; return how many rows of each kind."""
    seed_presets(session)
    rng = np.random.default_rng(seed)
    shapes, codes = areas
    order = np.argsort(np.array(codes))
    communities = _divisions(session, len(order))
    generation = {"state": "published", "author": "benchmark", "valid": _ALWAYS}
    _add(session, "generation", [generation])
    grids = [
        {
            "generation_id": 1,
            "code": f"{communities[n // _IN_COMMUNITY]}{n % _IN_COMMUNITY + 1:03d}",
            "name": f"第{n}网格",
            "kind": "urban",
            "community": communities[n // _IN_COMMUNITY],
            "households": 300,
            "valid": _ALWAYS,
            "geom": as_multipolygon(shapes[at]),
        }
        for n, at in enumerate(order.tolist())
    ]
    _add(session, "grid", grids)
    beats = _beats(session, shapes[order])
    posts, people = _posts(len(grids), communities, beats)
    _add(session, "person", people)
    _add(session, "responsibility", posts)
    _departments(session, len(people))
    _leave(session, rng, len(people))
    return {"grids": len(grids), "people": len(people), "posts": len(posts), "beats": beats}


def _add(session: Session, table: str, rows: list[Row]) -> None:
    upsert(session, table, [{"county": COUNTY, **row} for row in rows], key=())


def _divisions(session: Session, grids: int) -> list[str]:
    count = -(-grids // _IN_COMMUNITY)
    codes = [f"{COUNTY}{n // _IN_TOWN + 1:03d}{n % _IN_TOWN + 1:03d}" for n in range(count)]
    towns = sorted({code[:9] + "000" for code in codes})
    rows = [(code, "village") for code in codes] + [(code, "town") for code in towns]
    rows.append((f"{COUNTY}000000", "county"))
    _add(
        session,
        "division",
        [{"code": c, "name": c, "level": level, "source_ref": c} for c, level in rows],
    )
    return codes


def _beats(session: Session, shapes: Any) -> int:
    size = 3 * _IN_COMMUNITY
    rows = [
        {
            "source_ref": str(n),
            "kind": "police_beat",
            "name": f"第{n}警格",
            "geom": as_multipolygon(shapely.union_all(shapes[begin : begin + size])),
        }
        for n, begin in enumerate(range(0, len(shapes), size))
    ]
    _add(session, "service_area", rows)
    return len(rows)


def _posts(grids: int, communities: list[str], beats: int) -> tuple[list[Row], list[Row]]:
    posts: list[Row] = []
    people: list[Row] = []

    def hold(role: str, holder: str, **area: Any) -> None:
        number = len(people) + 1
        person = {"source_ref": str(number), "name": f"人{number}", "role": role, "mode": "car"}
        people.append(person | {"duty_phone": f"0990-{number:07d}"})
        place = dict.fromkeys(("grid_id", "division", "service_area_id")) | area
        posts.append(
            {"person_id": number, "role": role, "holder": holder, "valid": _ALWAYS, **place}
        )

    for grid in range(1, grids + 1):
        for holder in ("A", "B"):
            hold("gridworker", holder, grid_id=grid)
    for community in communities:
        for role in _TEAM:
            hold(role, "A", division=community)
    for beat in range(1, beats + 1):
        for holder in ("A", "B"):
            hold("police", holder, service_area_id=beat)
    hold("centre_director", "A", division=f"{COUNTY}000000")
    return posts, people


def _departments(session: Session, people: int) -> None:
    units = [
        {"source_ref": code, "kind": "department", "name": f"{code}局", "duty_phone": f"8{n:06d}"}
        for n, code in enumerate(_DEPARTMENTS)
    ]
    _add(session, "unit", units)
    rosters = [
        {
            "source_ref": f"{n}/{presence}",
            "unit_id": n + 1,
            "person_id": None if presence == "on_call" else people - n,
            "presence": presence,
            "valid": _ALWAYS,
            "weekdays": [1, 2, 3, 4, 5] if presence == "resident" else None,
        }
        for n in range(len(units))
        for presence in ("resident", "on_call")
    ]
    _add(session, "duty_roster", rosters)
    posts = [
        {
            "unit_id": n + 1,
            "role": "department",
            "holder": "A",
            "division": f"{COUNTY}000000",
            "class_scope": code,
            "valid": _ALWAYS,
        }
        for n, code in enumerate(_DEPARTMENTS)
    ]
    _add(session, "responsibility", posts)


def _leave(session: Session, rng: np.random.Generator, people: int) -> None:
    away = rng.choice(np.arange(1, people + 1), people // 20, replace=False).tolist()
    now = datetime.now(UTC)
    valid = f"[{(now - timedelta(days=1)).isoformat()},{(now + timedelta(days=1)).isoformat()})"
    there = np.setdiff1d(np.arange(1, people + 1), away)
    deputies = rng.choice(there, len(away)).tolist()
    rows = [
        {"person_id": one, "deputy_id": deputies[n] if n % 2 else None, "valid": valid}
        for n, one in enumerate(away)
    ]
    _add(session, "leave", rows)
