"""Importing files: one transaction each, every refused row returned with its reason."""

from data.importing.report import ImportReport, Refusal
from data.importing.sources import (
    import_addresses,
    import_areas,
    import_divisions,
    import_households,
    import_incidents,
    import_people,
)
from data.importing.streets import import_osm

__all__ = [
    "ImportReport",
    "Refusal",
    "import_addresses",
    "import_areas",
    "import_divisions",
    "import_households",
    "import_incidents",
    "import_osm",
    "import_people",
]
