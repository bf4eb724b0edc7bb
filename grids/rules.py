"""What a plan aims at: sizes, dedicated zones, and the weights of the soft aims."""

from dataclasses import dataclass, field

__all__ = ["PEOPLE_PER_HOUSEHOLD", "Rules", "SizeRange", "Weights"]


# Where there are more grids than this, one more or less hardly changes their mean.
_MANY = 8
# Average size of a household, census of 2020 (第七次全国人口普查公报).
PEOPLE_PER_HOUSEHOLD = 2.62


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Size of a grid: what to aim at, and the least and most that still fit."""

    target: float
    least: float
    most: float

    @classmethod
    def around(cls, target: float, share: float = 0.2) -> "SizeRange":
        """A range of a share to both sides of the target; ±20 % where a profile has none."""
        return cls(target, target * (1 - share), target * (1 + share))

    def grids_for(self, total: float) -> tuple[int, ...]:
        """Numbers of grids worth trying for a total: the two whose means enclose the target.

        Where one of the means lies outside the range and the other does not, only the one
        inside; where both do, or the grids are many and the means alike, the nearer.
        """
        few = max(1, int(total // self.target))
        if total <= self.target:
            return (1,)
        means = {k: total / k for k in (few, few + 1)}
        fitting = [k for k, mean in means.items() if self.least <= mean <= self.most]
        nearest = min(means, key=lambda k: (abs(means[k] - self.target), k))
        return tuple(fitting) if len(fitting) > 0 and few < _MANY else (nearest,)


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each soft aim counts, for one grid.

    Attributes
    ----------
    balance : float
        Distance from the target: nothing within a tenth, 0.9 to 1 inside the range, 4 and more
        outside.
    compactness : float
        1 - Polsby-Popper.
    streets : float
        Share of the boundary that follows no street, river or railway.
    estates : float
        Share of the boundary that runs through an estate 小区.
    stability : float
        Share of a target's households that leave the grid they are in today.
    """

    balance: float = 1.0
    compactness: float = 1.35
    streets: float = 0.2
    estates: float = 1.0
    stability: float = 1.5


@dataclass(frozen=True, slots=True)
class Rules:
    """A profile as the engine takes it.

    Attributes
    ----------
    urban, rural : SizeRange
        In units of `measure`.
    measure : str
        ``households`` or ``people``.
    micro : SizeRange
        Households of a micro-grid.
    zone_kinds : frozenset of str
        Kinds of zone that get dedicated grids.
    zone_area_m2 : float
        A smaller zone stays inside its surroundings.
    """

    urban: SizeRange = field(default_factory=lambda: SizeRange.around(300.0))
    rural: SizeRange = field(default_factory=lambda: SizeRange.around(50.0))
    measure: str = "households"
    micro: SizeRange = field(default_factory=lambda: SizeRange(40.0, 30.0, 50.0))
    zone_kinds: frozenset[str] = frozenset(
        {"park", "industrial_park", "business", "school", "hospital", "market", "centre"}
    )
    zone_area_m2: float = 20_000.0
    weights: Weights = field(default_factory=Weights)

    def atom_of(self, *, urban: bool) -> SizeRange:
        """Size of the parts that crowded blocks are cut into: an eighth of a grid.

        A block with more than half a grid is crowded.
        """
        grid = self.urban if urban else self.rural
        scale = 1.0 if self.measure == "households" else 1.0 / PEOPLE_PER_HOUSEHOLD
        eighth = grid.target * scale / 8
        return SizeRange(eighth, eighth * 0.6, grid.target * scale / 2)
