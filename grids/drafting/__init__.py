"""Drafting: drafts as lists of edits in the database, their state in memory and in tables.

`Workbench` is the one way to change a draft. `journal` holds the list of edits, `loading` the
published plan of a community, `tables` what tiles and reports read.
"""

from grids.drafting.workbench import Acknowledged, Workbench

__all__ = ["Acknowledged", "Workbench"]
