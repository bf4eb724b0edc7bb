"""Assigning: the one answer for incidents in the database, and for tables of any size.

`engine` assigns places at once, `table` files in chunks, `partitions` folders of Parquet on
many machines, `incidents` what the database holds.
"""

from grids.assign.engine import Assigned, Assigner
from grids.assign.incidents import IncidentReport, assign_incidents, name_people
from grids.assign.table import AssignOptions, TableReport, assign_table, begun_at, refused_path

__all__ = [
    "AssignOptions",
    "Assigned",
    "Assigner",
    "IncidentReport",
    "TableReport",
    "assign_incidents",
    "assign_table",
    "begun_at",
    "name_people",
    "refused_path",
]
