"""Components of an address, from the widest to the narrowest, and the levels that they reach."""

from dataclasses import dataclass

__all__ = ["KINDS", "LEVELS", "Address", "Component"]

# An estate 小区 is also any other named place: a market, a school, a works. A relation is what
# makes the place another one: 对面, 东侧600米, 交叉口.
KINDS = (
    "province",
    "city",
    "county",
    "town",
    "community",
    "road",
    "door",
    "estate",
    "building",
    "unit",
    "floor",
    "room",
    "relation",
)
# How closely an address is known (DOMAIN.md section 5); a floor is no level of its own.
LEVELS = ("room", "unit", "building", "door", "estate", "road", "community")


@dataclass(frozen=True, slots=True)
class Component:
    """A piece of an address.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    text : str
        As it stands in the normalized address.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart.

    Attributes
    ----------
    text : str
        Normalized.
    components : tuple of Component
        In their order; what belongs to none is left out.
    """

    text: str
    components: tuple[Component, ...]

    def first(self, kind: str) -> str:
        """The first component of a kind; empty where there is none."""
        return next((one.text for one in self.components if one.kind == kind), "")

    @property
    def level(self) -> str:
        """The closest of `LEVELS` that it names; empty where it names none."""
        held = {one.kind for one in self.components}
        return next((level for level in LEVELS if level in held), "")

    @property
    def is_exact(self) -> bool:
        """Whether it names the place itself, not one beside it."""
        return all(one.kind != "relation" for one in self.components)
