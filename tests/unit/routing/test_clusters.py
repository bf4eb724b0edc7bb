"""Clusters against a plain DBSCAN over all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routing.clusters import find_clusters, kind_of

HOUR = 3600.0


def plain(rows: list[tuple], within_m: float, within_s: float, least: int) -> set[frozenset[int]]:
    """Cores of each cluster, by the definition."""

    def near(a: tuple, b: tuple) -> bool:
        return (
            np.hypot(a[0] - b[0], a[1] - b[1]) <= within_m
            and abs(a[2] - b[2]) <= within_s
            and a[3] == b[3]
        )

    around = [{j for j, b in enumerate(rows) if near(a, b)} for a in rows]
    cores = {i for i, found in enumerate(around) if len(found) >= least}
    left, clusters = set(cores), set()
    while left:
        grown, front = set(), {min(left)}
        while front:
            grown |= front
            front = {j for i in front for j in around[i] & cores} - grown
        clusters.add(frozenset(grown))
        left -= grown
    return clusters


report = st.tuples(
    st.integers(0, 10).map(float),
    st.integers(0, 10).map(float),
    st.integers(0, 10).map(float),
    st.integers(0, 1),
)


@given(st.lists(report, max_size=40), st.integers(1, 4))
def test_the_cores_are_those_of_the_definition(rows: list[tuple], least: int) -> None:
    x, y, when, group = np.array(rows, float).reshape(-1, 4).T
    found = find_clusters(x, y, when, group, within_m=2.0, within_s=2.0, least=least)
    expected = plain(rows, 2.0, 2.0, least)
    assert len(found) == len(expected)
    for cores in expected:
        assert sum(cores <= set(one.members) for one in found) == 1
    members = [i for one in found for i in one.members]
    assert len(members) == len(set(members))


def test_a_burst_is_told_from_what_recurs() -> None:
    rng = np.random.default_rng(1)
    burst = np.column_stack([rng.normal(0, 50, (12, 2)), rng.uniform(0, 2 * HOUR, 12)])
    slow = np.column_stack([rng.normal(5000, 50, (12, 2)), np.arange(12) * 15 * HOUR])
    alone = np.column_stack([rng.uniform(10_000, 90_000, (30, 2)), rng.uniform(0, 9e5, 30)])
    rows = np.vstack([burst, slow, alone])
    found = find_clusters(*rows.T, np.zeros(len(rows), int), within_s=48 * HOUR)
    assert [(one.kind, len(one.members)) for one in found] == [("sudden", 12), ("recurring", 12)]
    assert found[0].members == tuple(np.argsort(burst[:, 2]).tolist())


def test_few_reports_are_no_cluster() -> None:
    assert find_clusters([], [], [], []) == []
    assert find_clusters([0, 1], [0, 1], [0, 1], [0, 0]) == []
    assert kind_of(0) == "sudden"
