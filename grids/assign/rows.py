"""Assigning rows in memory: one answer for each, in their order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gis.crs import SourceCrs, to_wgs84
from grids.assign.engine import Assigner

__all__ = ["assign_rows"]


def assign_rows(
    assigner: Assigner,
    places: Sequence[tuple[float, float]],
    crs: SourceCrs,
    *,
    classes: Sequence[str | None],
    owners: Sequence[str | None],
    addresses: Sequence[str | None],
) -> list[dict[str, Any]]:
    """Assign places, x before y of a stated system; a row that has no place says why.

    Returns
    -------
    list of dict
        The assigner's columns, or ``refused`` with the reason.
    """
    if not places:
        return []
    known = assigner.classes
    xy = np.array(places, dtype=float)
    lon, lat = to_wgs84(xy[:, 0], xy[:, 1], crs)
    refused = {
        at: f"({xy[at, 0]:g}, {xy[at, 1]:g}) is no place on earth in {crs.name}"
        for at in np.flatnonzero(~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))).tolist()
    }
    for at, code in enumerate(classes):
        if code is not None and code not in known:
            refused.setdefault(at, f"class {code!r} is not in the class table")
    keep = [at for at in range(len(places)) if at not in refused]
    found = assigner.assign(
        lon[keep],
        lat[keep],
        classes=[classes[at] for at in keep],
        owners=[owners[at] for at in keep],
        addresses=[addresses[at] for at in keep],
    )
    answers: list[dict[str, Any]] = [{"refused": refused.get(at, "")} for at in range(len(places))]
    for position, at in enumerate(keep):
        reason = found.outside.get(position)
        if reason is None:
            cells = found.answers[found.index[position]]
            answers[at] = dict(zip(assigner.headings, cells, strict=True))
        else:
            answers[at] = {"refused": reason}
    return answers
