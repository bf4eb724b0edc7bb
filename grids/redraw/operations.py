"""The operations of a draft's edits, as they are written down.

Each names the community that it changes and holds all that is needed to do it again: what an
engine found is kept as its result, so that a replay does not depend on the engine.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from grids.redraw.errors import EditRefusedError

__all__ = [
    "OPERATIONS",
    "AdjustBoundary",
    "Adopt",
    "AssignPost",
    "Cut",
    "Dedicate",
    "Merge",
    "NewGrid",
    "NumberFrom",
    "Operation",
    "Rename",
    "Repaint",
    "Repartition",
    "Restore",
    "RestoredGrid",
    "SplitByLine",
    "SplitInto",
    "SwapCodes",
    "communities_of",
    "operation_from_json",
    "operation_to_json",
]

Key = Annotated[str, Field(max_length=80)]
Number = Annotated[int, Field(ge=1, le=2**62)]
Keys = Annotated[tuple[Key, ...], Field(min_length=1, max_length=20_000)]
Code = Annotated[str, Field(pattern=r"^\d{12}$")]
# Longitude and latitude, EPSG:4326.
Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Line = Annotated[tuple[tuple[Degrees, Degrees], ...], Field(min_length=2, max_length=2000)]
Words = Annotated[str, Field(max_length=200)]
Parts = tuple[Keys, ...]


@dataclass(frozen=True, slots=True)
class Repaint:
    """Give blocks to a grid."""

    community: Code
    blocks: Keys
    grid: Key
    operation: Literal["repaint"] = "repaint"


@dataclass(frozen=True, slots=True)
class NewGrid:
    """Make a grid of blocks."""

    community: Code
    blocks: Keys
    operation: Literal["new_grid"] = "new_grid"


@dataclass(frozen=True, slots=True)
class SplitByLine:
    """Split a grid along a drawn line, slicing the blocks that it runs through."""

    community: Code
    grid: Key
    line: Line
    operation: Literal["split_by_line"] = "split_by_line"


@dataclass(frozen=True, slots=True)
class SplitInto:
    """Split a grid into even parts; the first goes on as the grid."""

    community: Code
    grid: Key
    count: Annotated[int, Field(ge=2, le=50)]
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    parts: Parts = ()
    operation: Literal["split_into"] = "split_into"


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge grids; the first goes on."""

    community: Code
    grids: Annotated[tuple[Key, ...], Field(min_length=2, max_length=100)]
    operation: Literal["merge"] = "merge"


@dataclass(frozen=True, slots=True)
class Cut:
    """Slice blocks along a drawn line; all that it runs through where none are named."""

    community: Code
    line: Line
    blocks: Annotated[tuple[Key, ...], Field(max_length=20_000)] = ()
    operation: Literal["cut"] = "cut"


@dataclass(frozen=True, slots=True)
class Dedicate:
    """Make a grid the dedicated grid of a zone, or with neither zone nor kind an ordinary one."""

    community: Code
    grid: Key
    zone_id: Number | None = None
    zone_kind: Annotated[str, Field(max_length=20)] = ""
    zone_name: Words = ""
    zone_owner: Words = ""
    operation: Literal["dedicate"] = "dedicate"


@dataclass(frozen=True, slots=True)
class Rename:
    """Name a grid; an empty name stands for the usual one."""

    community: Code
    grid: Key
    name: Words
    operation: Literal["rename"] = "rename"


@dataclass(frozen=True, slots=True)
class SwapCodes:
    """Exchange the codes of two grids."""

    community: Code
    grid: Key
    other: Key
    operation: Literal["swap_codes"] = "swap_codes"


@dataclass(frozen=True, slots=True)
class NumberFrom:
    """Give the new grids of a community codes from a sequence on, as for merged units."""

    community: Code
    first: Annotated[int, Field(ge=1, le=999)]
    operation: Literal["number_from"] = "number_from"


@dataclass(frozen=True, slots=True)
class Repartition:
    """Draw a community's grids anew; `parts` are the blocks of each."""

    community: Code
    target: Annotated[float | None, Field(gt=0, le=100_000)] = None
    least: Annotated[float | None, Field(gt=0, le=100_000)] = None
    most: Annotated[float | None, Field(gt=0, le=100_000)] = None
    balance: Annotated[float, Field(ge=0, le=100)] = 1.0
    compactness: Annotated[float, Field(ge=0, le=100)] = 1.35
    streets: Annotated[float, Field(ge=0, le=100)] = 0.2
    estates: Annotated[float, Field(ge=0, le=100)] = 1.0
    stability: Annotated[float, Field(ge=0, le=100)] = 1.5
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    parts: Parts = ()
    operation: Literal["repartition"] = "repartition"


@dataclass(frozen=True, slots=True)
class Adopt:
    """Give a community the grids of a plan drawn elsewhere, snapped to its blocks."""

    community: Code
    parts: Parts
    names: Annotated[tuple[Words, ...], Field(max_length=1000)]
    operation: Literal["adopt"] = "adopt"


@dataclass(frozen=True, slots=True)
class RestoredGrid:
    """A grid as an earlier generation had it."""

    code: Annotated[str, Field(pattern=r"^\d{13,20}$")]
    name: Words
    kind: Literal["urban", "rural", "dedicated"]
    blocks: Keys
    zone_id: Number | None = None


@dataclass(frozen=True, slots=True)
class Restore:
    """Give a community the grids of an earlier generation, with their codes."""

    community: Code
    grids: Annotated[tuple[RestoredGrid, ...], Field(min_length=1, max_length=1000)]
    operation: Literal["restore"] = "restore"


@dataclass(frozen=True, slots=True)
class AdjustBoundary:
    """Give blocks of a community to a grid of another: the boundary between them moves."""

    community: Code
    blocks: Keys
    to: Code
    grid: Key
    operation: Literal["adjust_boundary"] = "adjust_boundary"


@dataclass(frozen=True, slots=True)
class AssignPost:
    """Make a person responsible for a grid in a role from the publication on."""

    community: Code
    grid: Key
    role: Annotated[str, Field(max_length=30)]
    person_id: Number
    holder: Literal["A", "B"] = "A"
    operation: Literal["assign"] = "assign"


Operation = Annotated[
    Repaint
    | NewGrid
    | SplitByLine
    | SplitInto
    | Merge
    | Cut
    | Dedicate
    | Rename
    | SwapCodes
    | NumberFrom
    | Repartition
    | Adopt
    | Restore
    | AdjustBoundary
    | AssignPost,
    Field(discriminator="operation"),
]
OPERATIONS: tuple[Any, ...] = get_args(get_args(Operation)[0])
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Operation)


def operation_from_json(value: Any) -> Any:
    """Read an operation.

    Raises
    ------
    EditRefusedError
        If there is no such operation, or its arguments do not fit; says which.

    Examples
    --------
    >>> operation_from_json({"operation": "rename", "community": "990100001001",
    ...                      "grid": "990100001001001", "name": "东苑"}).name
    '东苑'
    """
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "operation"
        raise EditRefusedError("unknown", f"{where}: {first['msg']}") from error


def operation_to_json(operation: Any) -> dict[str, Any]:
    """An operation's name and arguments.

    Examples
    --------
    >>> operation_to_json(Merge("990100001001", ("a", "b")))["grids"]
    ['a', 'b']
    """
    written: dict[str, Any] = _ADAPTER.dump_python(operation, mode="json")
    return written


def communities_of(operation: Any) -> tuple[str, ...]:
    """Codes of the communities that an operation changes."""
    if isinstance(operation, AdjustBoundary):
        return (operation.community, operation.to)
    return (operation.community,)
