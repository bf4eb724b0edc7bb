"""Clusters of reports in space and time (ST-DBSCAN); pure.

Three kinds are told apart by how long the reports of a cluster spread: a *sudden* one 突发 within
hours, a *mass* one 群发 within days, a *recurring* one 多发 over a longer time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["KINDS", "Cluster", "find_clusters", "kind_of"]

KINDS = ("sudden", "mass", "recurring")
SUDDEN_S, MASS_S = 6 * 3600.0, 72 * 3600.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Reports that belong together.

    Attributes
    ----------
    members : tuple of int
        Positions in the input, by time.
    kind : str
        One of `KINDS`.
    begin_s, end_s : float
        Of its first and last report.
    """

    members: tuple[int, ...]
    kind: str
    begin_s: float
    end_s: float


def find_clusters(
    x_m: ArrayLike,
    y_m: ArrayLike,
    time_s: ArrayLike,
    group: ArrayLike,
    *,
    within_m: float = 200.0,
    within_s: float = 24 * 3600.0,
    least: int = 4,
) -> list[Cluster]:
    """Find clusters, the largest first.

    Parameters
    ----------
    x_m, y_m : array_like of float, shape (n,), metres
    time_s : array_like of float, shape (n,), seconds
    group : array_like of int, shape (n,)
        Reports of different groups are never near.
    within_m, within_s : float
        Two reports are near where they are within both; the borders count.
    least : int
        A report with so many near it, itself counted, is a core.

    Notes
    -----
    ST-DBSCAN (Birant and Kut 2007) without its third threshold: the neighbourhoods come of a k-d
    tree and are cut in time, and scikit-learn grows the clusters. Memory is linear in the pairs
    that are near in space.
    """
    # A third of a server's start, for a question that is asked now and then.
    from scipy.spatial import KDTree  # noqa: PLC0415
    from sklearn.cluster import DBSCAN  # noqa: PLC0415

    place = np.column_stack([np.asarray(x_m, float), np.asarray(y_m, float)])
    when, kind = np.asarray(time_s, float), np.asarray(group)
    if len(when) < least:
        return []
    pairs = KDTree(place).query_pairs(within_m, output_type="ndarray")
    left, right = pairs[:, 0], pairs[:, 1]
    near = (np.abs(when[left] - when[right]) <= within_s) & (kind[left] == kind[right])
    left, right = left[near], right[near]
    label = (
        DBSCAN(eps=0.5, min_samples=least, metric="precomputed")
        .fit(_graph(left, right, len(when)))
        .labels_
    )
    return _told(label, when)


def _graph(
    left: NDArray[np.int64], right: NDArray[np.int64], count: int
) -> "csr_array[np.float64, tuple[int, int]]":
    """Near pairs at distance 0.1, each with itself at 0; what is not stored is far."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    itself = np.arange(count)
    rows = np.concatenate([left, right, itself])
    columns = np.concatenate([right, left, itself])
    distance = np.concatenate([np.full(2 * len(left), 0.1), np.zeros(count)])
    return csr_array((distance, (rows, columns)), shape=(count, count))


def _told(label: NDArray[np.int64], when: NDArray[np.float64]) -> list[Cluster]:
    made = []
    for one in np.unique(label[label >= 0]):
        members = np.flatnonzero(label == one)
        members = members[np.argsort(when[members], kind="stable")]
        begin, end = float(when[members[0]]), float(when[members[-1]])
        made.append(Cluster(tuple(members.tolist()), kind_of(end - begin), begin, end))
    return sorted(made, key=lambda one: (-len(one.members), one.members))


def kind_of(span_s: float) -> str:
    """The kind of a cluster by how long it spreads.

    Examples
    --------
    >>> kind_of(3600.0), kind_of(2 * 86400.0), kind_of(9 * 86400.0)
    ('sudden', 'mass', 'recurring')
    """
    if span_s <= SUDDEN_S:
        return "sudden"
    return "mass" if span_s <= MASS_S else "recurring"
