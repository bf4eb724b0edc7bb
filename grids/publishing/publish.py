"""Publishing a draft, now or at a later day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data.audit import audit
from data.errors import StateError
from data.log import log_after_commit
from data.models import Generation, ReviewStep
from gis.cells import cover_polygons
from grids.generations import latest_generation, require_draft
from grids.plan import check_draft
from grids.publishing.ground import take_over_blocks
from grids.publishing.staff import hand_on_posts
from grids.publishing.succession import GRID_RESOLUTION, outlines_of, replace_grids

__all__ = ["publish"]


def publish(
    session: Session,
    county: str,
    draft_id: int,
    *,
    at: datetime | None = None,
    actor: str = "system",
) -> Generation:
    """Publish a draft: unchanged grids stay, replaced ones end, new ones begin, at one instant.

    Parameters
    ----------
    at : datetime, optional
        From when it holds; now by default. Until then every answer is the present plan's.

    Raises
    ------
    StateError
        If the draft breaks a hard rule, its base is no longer the latest plan, or the time is
        not after the base's.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(20191, :county)"), {"county": int(county)})
    moment = at or session.execute(text("SELECT clock_timestamp()")).scalar_one()
    draft = require_draft(session, county, draft_id)
    base = latest_generation(session, county)
    if draft.base_id != (base.id if base else None):
        raise StateError(f"draft {draft_id} was drawn on another plan: draw it again")
    since = base.valid.lower if base is not None and base.valid is not None else None
    if since is not None and moment <= since:
        raise StateError(f"the plan before holds from {since:%Y-%m-%d %H:%M}: publish after that")
    # GEOS and H3 let other threads run: cells are found while drafts are checked and written.
    with ThreadPoolExecutor(1) as aside:
        outlines = outlines_of(session, draft)
        cells = aside.submit(cover_polygons, outlines, GRID_RESOLUTION)
        if faults := check_draft(session, county, draft_id):
            first = faults[0]
            raise StateError(
                f"draft {draft_id} breaks {len(faults)} rules, first {first.rule}: {first.where}"
            )
        if base is not None:
            base.valid = Range(since, moment)
            session.flush()
        draft.state, draft.valid = "published", Range(moment, None)
        session.flush()
        take_over_blocks(session, draft, moment)
        made = replace_grids(session, draft, moment, cells)
    hand_on_posts(session, draft, moment, made)
    session.add(ReviewStep(county=county, generation_id=draft.id, step="publish", actor=actor))
    audit(session, county, actor, "draft.publish", str(draft.id), at=moment.isoformat())
    session.execute(text("SELECT pg_notify('plan_published', :county)"), {"county": county})
    facts = {"county": county, "generation": draft.id, "since": moment.isoformat()}
    log_after_commit(session, "a plan is published", **facts)
    return draft
