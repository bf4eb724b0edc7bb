"""Floor 3: who looks after where; blocks, partition, plans, codes, responsibilities, cards.

`blocks`, `borders`, `partition` and `responsibility` are pure; `plan` draws and checks, `publish`
publishes; `directory` loads what `who` answers from: a place's grid (`places`) and everyone
responsible; `assign` does so for tables and for all incidents.
"""

from grids.blocks import Blocks, draw_blocks
from grids.borders import BorderLines, Borders, draw_borders
from grids.partition import Partition, Rules, partition

__all__ = [
    "Blocks",
    "BorderLines",
    "Borders",
    "Partition",
    "Rules",
    "draw_blocks",
    "draw_borders",
    "partition",
]
