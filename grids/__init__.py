"""Floor 3: who looks after where; blocks, partition, plans, codes, responsibilities, cards.

`blocks` and `partition` are pure; `plan` draws, checks and publishes; `who` answers a place
with its grid and everyone responsible; `assign` does so for tables and for all incidents.
"""

from grids.blocks import Blocks, draw_blocks
from grids.partition import Partition, Rules, partition

__all__ = ["Blocks", "Partition", "Rules", "draw_blocks", "partition"]
