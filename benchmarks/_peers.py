"""Peers of the partition: libraries that a planner could take instead, on the same atoms.

Each gets one connected piece of one community, the number of grids that the means ask for,
and answers with labels. Imports are inside: a peer that is not installed is said to be so.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from grids.partition._pieces import Piece

__all__ = ["PEERS", "Peer", "metis_best_of"]

Int = NDArray[np.int64]
Peer = Callable[[Piece, NDArray[np.float64], int], Int]


def _lists(piece: Piece) -> list[Int]:
    return [piece.near[a:b] for a, b in zip(piece.start[:-1], piece.start[1:], strict=True)]


def _metis(piece: Piece, parts: int, *, recursive: bool, tries: int) -> Int:
    import pymetis

    weight = np.maximum(piece.block[:, 0].astype(int), 0).tolist()
    if not sum(weight):
        weight = [1] * len(weight)
    edge = np.maximum(piece.length.astype(int), 1).tolist()
    target = 300.0 if piece.block[:, 0].sum() / parts > 150.0 else 50.0
    best, best_miss = np.zeros(len(weight), np.int64), np.inf
    for seed in range(tries):
        options = pymetis.Options(seed=seed, ufactor=30 + 40 * (seed % 4))
        if not recursive:
            options.contig = 1
        _, label = pymetis.part_graph(
            parts,
            xadj=piece.start.tolist(),
            adjncy=piece.near.tolist(),
            vweights=weight,
            eweights=edge,
            recursive=recursive,
            options=options,
        )
        found = np.asarray(label, np.int64)
        size = np.bincount(found, weights=piece.block[:, 0], minlength=parts)
        miss = float((np.abs(size / target - 1.0) > 0.2).sum())
        if miss < best_miss:
            best, best_miss = found, miss
    return best


def metis_kway(piece: Piece, _centres: NDArray[np.float64], parts: int) -> Int:
    """METIS, contiguous k-way."""
    return _metis(piece, parts, recursive=False, tries=1)


def metis_recursive(piece: Piece, _centres: NDArray[np.float64], parts: int) -> Int:
    """METIS, recursive bisection."""
    return _metis(piece, parts, recursive=True, tries=1)


def metis_best_of(tries: int) -> Peer:
    """METIS, contiguous k-way, the best of so many seeds and balances."""

    def peer(piece: Piece, _centres: NDArray[np.float64], parts: int) -> Int:
        return _metis(piece, parts, recursive=False, tries=tries)

    return peer


def ward(piece: Piece, centres: NDArray[np.float64], parts: int) -> Int:
    """scikit-learn Ward with connectivity on centres."""
    from scipy.sparse import csr_array
    from sklearn.cluster import AgglomerativeClustering

    shape = (len(piece.nodes), len(piece.nodes))
    joins = csr_array((np.ones(len(piece.near)), piece.near, piece.start), shape=shape)
    model = AgglomerativeClustering(n_clusters=parts, connectivity=joins, linkage="ward")
    return np.asarray(model.fit_predict(centres), np.int64)


def kmeans_constrained(piece: Piece, centres: NDArray[np.float64], parts: int) -> Int:
    """k-means-constrained on centres: equal numbers of blocks, no contiguity."""
    from k_means_constrained import KMeansConstrained

    count = len(piece.nodes)
    low, high = count // parts, -(-count // parts)
    model = KMeansConstrained(parts, size_min=low, size_max=high, random_state=0, n_init=1)
    return np.asarray(model.fit_predict(centres), np.int64)


def _frame(piece: Piece, centres: NDArray[np.float64]) -> tuple[object, object]:
    import geopandas
    import libpysal
    import shapely

    rows = {"h": piece.block[:, 0], "x": centres[:, 0], "y": centres[:, 1]}
    frame = geopandas.GeoDataFrame(rows, geometry=shapely.points(centres))
    joins = {i: near.tolist() for i, near in enumerate(_lists(piece))}
    return frame, libpysal.weights.W(joins, silence_warnings=True)


def skater(piece: Piece, centres: NDArray[np.float64], parts: int) -> Int:
    """Spopt Skater on centres."""
    from spopt.region import Skater

    frame, joins = _frame(piece, centres)
    model = Skater(frame, joins, ["x", "y"], n_clusters=parts)
    model.solve()
    return np.asarray(model.labels_, np.int64)


def region_kmeans(piece: Piece, centres: NDArray[np.float64], parts: int) -> Int:
    """Spopt RegionKMeans on centres."""
    from spopt.region import RegionKMeansHeuristic

    _, joins = _frame(piece, centres)
    model = RegionKMeansHeuristic(centres, parts, joins)
    model.solve()
    return np.asarray(model.labels_, np.int64)


def max_p(piece: Piece, centres: NDArray[np.float64], _parts: int) -> Int:
    """Spopt MaxP with the least of the range as threshold."""
    from spopt.region import MaxPHeuristic

    frame, joins = _frame(piece, centres)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MaxPHeuristic(
            frame, joins, ["x", "y"], "h", 240.0, top_n=2, max_iterations_construction=20
        )
        model.solve()
    return np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)


def gerrychain(piece: Piece, _centres: NDArray[np.float64], parts: int) -> Int:
    """GerryChain's recursive tree partition, the tolerance widened until it finds one."""
    import networkx as nx
    from gerrychain import Graph
    from gerrychain.tree import BalanceError, PopulationBalanceError, recursive_tree_part

    graph = nx.Graph()
    graph.add_nodes_from((i, {"pop": int(h)}) for i, h in enumerate(piece.block[:, 0]))
    graph.add_edges_from((i, int(j)) for i, near in enumerate(_lists(piece)) for j in near)
    ideal = piece.block[:, 0].sum() / parts
    for tolerance in (0.1, 0.2, 0.4, 0.8):
        try:
            found = recursive_tree_part(
                Graph.from_networkx(graph), range(parts), ideal, "pop", tolerance, node_repeats=2
            )
        except (BalanceError, PopulationBalanceError, RuntimeError, ValueError):
            continue
        return np.array([found[i] for i in range(len(piece.nodes))], np.int64)
    return metis_recursive(piece, _centres, parts)


PEERS: dict[str, Peer] = {
    "METIS k-way": metis_kway,
    "METIS recursive": metis_recursive,
    "METIS best of 24": metis_best_of(24),
    "Ward": ward,
    "Skater": skater,
    "RegionKMeans": region_kmeans,
    "MaxP": max_p,
    "GerryChain": gerrychain,
    "k-means-constrained": kmeans_constrained,
}
