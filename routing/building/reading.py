"""Reading an OSM file with pyosmium: the ways that a mode may use, and turn restrictions."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import osmium

from routing.building.rules import Rules
from routing.errors import NetworkError

__all__ = ["Extract", "Restriction", "Way", "read_extract"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way with its nodes and what the rules read of its tags."""

    id: int
    nodes: list[int]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Restriction:
    """A turn restriction: from ways, by way of a node or of ways, to ways.

    Attributes
    ----------
    kind : str
        ``no_…`` or ``only_…``.
    modes : int
        A bit for each mode that it binds.
    """

    id: int
    kind: str
    modes: int
    begins: list[int]
    via_node: int | None
    via_ways: list[int]
    ends: list[int]


@dataclass(frozen=True, slots=True)
class Extract:
    """What a network is built from; nodes are (lon, lat), EPSG:4326."""

    nodes: dict[int, tuple[float, float]]
    ways: list[Way]
    restrictions: list[Restriction]


def read_extract(path: Path, rules: Rules) -> Extract:
    """Read an OSM file (PBF or XML, also compressed).

    An extract clips ways at its edge: the longest run of nodes that are there is kept.

    Raises
    ------
    NetworkError
        If the file cannot be read, or holds no way that a mode may use.
    """
    try:
        found = list(_ways(path, rules))
        nodes = _nodes(path, {ref for way in found for ref in way.nodes})
        restrictions = list(_restrictions(path, rules))
    except RuntimeError as error:
        raise NetworkError(f"{path.name} cannot be read as OSM data: {error}") from error
    ways = []
    for way in found:
        run = _longest_run(way.nodes, nodes)
        if len(run) > 1:
            ways.append(Way(way.id, run, way.tags))
    if not ways:
        raise NetworkError(f"{path.name} holds no road that anyone may use")
    return Extract(nodes, ways, restrictions)


def _ways(path: Path, rules: Rules) -> Iterable[Way]:
    roads = osmium.FileProcessor(str(path), osmium.osm.WAY).with_filter(
        osmium.filter.KeyFilter("highway")
    )
    for way in roads:
        if not isinstance(way, osmium.osm.Way) or way.tags["highway"] not in rules.classes:
            continue
        tags = {tag.k: tag.v for tag in way.tags if tag.k in rules.tags}
        speeds = [rules.speeds_kph(tags, back=back) for back in (False, True)]
        if tags.get("area") != "yes" and any(map(any, speeds)):
            yield Way(way.id, [node.ref for node in way.nodes], tags)


def _nodes(path: Path, wanted: set[int]) -> dict[int, tuple[float, float]]:
    return {
        node.id: (node.lon, node.lat)
        for node in osmium.FileProcessor(str(path), osmium.osm.NODE)
        if node.id in wanted and isinstance(node, osmium.osm.Node) and node.location.valid()
    }


def _restrictions(path: Path, rules: Rules) -> Iterable[Restriction]:
    relations = osmium.FileProcessor(str(path), osmium.osm.RELATION).with_filter(
        osmium.filter.KeyFilter("type")
    )
    for relation in relations:
        if not isinstance(relation, osmium.osm.Relation):
            continue
        if not relation.tags["type"].startswith("restriction"):
            continue
        kind, modes = rules.modes_bound({tag.k: tag.v for tag in relation.tags})
        if not modes or not kind.startswith(("no_", "only_")):
            continue
        members = [(member.type, member.role, member.ref) for member in relation.members]
        yield Restriction(
            id=relation.id,
            kind=kind,
            modes=modes,
            begins=[ref for type_, role, ref in members if (type_, role) == ("w", "from")],
            via_node=next((r for type_, role, r in members if (type_, role) == ("n", "via")), None),
            via_ways=[ref for type_, role, ref in members if (type_, role) == ("w", "via")],
            ends=[ref for type_, role, ref in members if (type_, role) == ("w", "to")],
        )


def _longest_run(refs: list[int], present: dict[int, tuple[float, float]]) -> list[int]:
    best, begin = (0, 0), 0
    for i in range(len(refs) + 1):
        if i == len(refs) or refs[i] not in present:
            best = max(best, (i - begin, -begin))
            begin = i + 1
    run = refs[-best[1] : best[0] - best[1]]
    return [ref for i, ref in enumerate(run) if i == 0 or run[i - 1] != ref]
