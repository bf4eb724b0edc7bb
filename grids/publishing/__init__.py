"""Publishing: a draft becomes the plan's next generation, in one transaction at one instant.

`publish` checks and orders; `ground` makes a draft's cuts the blocks that are held, `succession`
ends grids and begins new ones with codes, names, cells and lineage, `staff` hands posts on,
`rollback` begins a draft of an earlier generation.
"""

from grids.publishing.publish import publish
from grids.publishing.rollback import draft_of_former
from grids.publishing.succession import GRID_RESOLUTION

__all__ = ["GRID_RESOLUTION", "draft_of_former", "publish"]
