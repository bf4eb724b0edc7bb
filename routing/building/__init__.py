"""From an OSM file to a road network, once: `reading`, `restrictions`, `simplifying`, `rules`."""

from routing.building.build import build_network, read_roads
from routing.building.rules import Rules

__all__ = ["Rules", "build_network", "read_roads"]
