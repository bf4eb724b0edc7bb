"""Importing files: one transaction each, every refused row returned with its reason."""

from data.importing.addresses import import_addresses, import_aliases
from data.importing.people import import_leave, import_people, import_rosters, import_units
from data.importing.report import ImportReport, Refusal
from data.importing.responsibilities import (
    import_memberships,
    import_responsibilities,
    import_rules,
)
from data.importing.sources import (
    import_areas,
    import_divisions,
    import_households,
    import_incidents,
)
from data.importing.streets import import_osm

__all__ = [
    "ImportReport",
    "Refusal",
    "import_addresses",
    "import_aliases",
    "import_areas",
    "import_divisions",
    "import_households",
    "import_incidents",
    "import_leave",
    "import_memberships",
    "import_osm",
    "import_people",
    "import_responsibilities",
    "import_rosters",
    "import_rules",
    "import_units",
]
