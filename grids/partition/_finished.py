"""Pieces that are solved already, kept so that an interrupted run need not solve them again."""

import hashlib
from collections.abc import Iterator, MutableMapping
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from grids.partition._pieces import Piece
from grids.partition._solve import Effort, Solution
from grids.rules import SizeRange, Weights

__all__ = ["FinishedPieces", "key_of"]


def key_of(
    piece: Piece,
    home: NDArray[np.int64],
    size: SizeRange,
    weights: Weights,
    effort: Effort,
    seed: int,
) -> str:
    """Digest of all that a piece's solution follows from."""
    # A later release may solve the same piece otherwise.
    facts = (version("onegrid"), size, weights, effort, seed)
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=20)
    graph = (piece.start, piece.near, piece.passable, piece.length, piece.off)
    for array in (*graph, piece.block, piece.prior, home):
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class FinishedPieces(MutableMapping[str, Solution]):
    """Solutions in a folder, one file each; a file that was cut short counts as none.

    Parameters
    ----------
    folder : Path
        Made where it is missing; `clear` leaves it empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, key: str) -> Solution:
        try:
            with self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as held:
                parts, exact = held["facts"].tolist()
                cost = float(held["cost"])
                return Solution(held["label"], int(parts), cost, exact=bool(exact))
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):
            raise KeyError(key) from None

    def __setitem__(self, key: str, found: Solution) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: whoever interrupts leaves a whole file or none.
        beside = self._path(key).with_suffix(".part")
        with beside.open("wb") as handle:
            facts = np.array([found.parts, found.exact], np.int64)
            np.savez(handle, label=found.label, facts=facts, cost=np.array(found.cost))
        beside.replace(self._path(key))

    def __delitem__(self, key: str) -> None:
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self.folder.glob("*.npz")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Remove all, half-written ones too."""
        for pattern in ("*.npz", "*.part"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
