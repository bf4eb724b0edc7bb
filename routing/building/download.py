"""Downloading a city's streets by osmnx, where there is internet."""

from pathlib import Path

import osmnx
import requests

from routing.building.rules import Rules
from routing.errors import NetworkError

__all__ = ["download_streets"]


def download_streets(place: str, target: Path, *, rules: Rules | None = None) -> None:
    """Write the streets of a place, as Nominatim finds it, to an OSM XML file.

    Turn restrictions are not in it: where they matter, build from an extract.

    Raises
    ------
    NetworkError
        If the place is not found or the servers of OpenStreetMap cannot be reached.
    """
    settings, tags = osmnx.settings, (rules or Rules.read()).tags
    kept = settings.all_oneway, settings.useful_tags_way
    # What osmnx asks for: ways as they are drawn, and the tags that the rules read.
    settings.all_oneway, settings.useful_tags_way = True, sorted(tags)
    try:
        graph = osmnx.graph_from_place(place, network_type="all", simplify=False, retain_all=True)
        osmnx.save_graph_xml(graph, target)
    except (requests.RequestException, ValueError, TypeError) as error:
        raise NetworkError(
            f"the streets of {place!r} cannot be downloaded: {error}; "
            "give a local extract where there is no internet"
        ) from error
    finally:
        settings.all_oneway, settings.useful_tags_way = kept
