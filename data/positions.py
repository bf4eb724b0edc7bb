"""Latest positions of staff on duty: kept for minutes, never a track (PIPL 28)."""

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

__all__ = ["KEEP_MINUTES", "place_demo_staff", "purge_positions"]

KEEP_MINUTES = 15


def purge_positions(session: Session) -> int:
    """Delete positions older than `KEEP_MINUTES`; return how many."""
    gone = session.execute(
        text("DELETE FROM position WHERE at < now() - make_interval(mins => :m) RETURNING 1"),
        {"m": KEEP_MINUTES},
    )
    return len(gone.all())


def place_demo_staff(session: Session, county: str, *, seed: int) -> int:
    """Put the demonstration city's responders on streets; return how many are on duty."""
    people = session.scalars(
        text(
            "SELECT id FROM person WHERE county = :county "
            "AND role IN ('gridworker', 'police', 'mediator') ORDER BY id"
        ),
        {"county": county},
    ).all()
    spots = session.execute(
        text(
            "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_LineInterpolatePoint(geom, 0.5) AS p "
            "FROM street WHERE county = :county ORDER BY id) AS middle"
        ),
        {"county": county},
    ).all()
    if not people or not spots:
        return 0
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(spots), len(people)).tolist()
    session.execute(
        text(
            "INSERT INTO position (person_id, county, at, geom) "
            "VALUES (:id, :county, now(), ST_SetSRID(ST_MakePoint(:x, :y), 4326)) "
            "ON CONFLICT (person_id) DO UPDATE SET at = excluded.at, geom = excluded.geom"
        ),
        [
            {"id": person, "county": county, "x": spots[spot][0], "y": spots[spot][1]}
            for person, spot in zip(people, chosen, strict=True)
        ],
    )
    return len(people)
