"""Loading what answers need before a process is forked, so that all processes share it."""

import numpy as np
import shapely

from api.pages import load_templates
from data.memory import give_back_code
from gis.address import AddressTable, Areas, entry_of, look_up, suggest
from gis.locator import Locator
from routing.assembly import Roads, assemble
from routing.network import RoadNetwork
from routing.warming import warm

__all__ = ["load_all"]

_ADDRESS = "幸福路3号"


def load_all() -> None:
    """Load compiled kernels, templates and dictionaries.

    Nothing here opens a connection or starts a thread: neither would live through a fork.
    """
    load_templates()
    _load_addresses()
    _load_locator()
    warm(_roads())
    give_back_code()


def _load_addresses() -> None:
    table = AddressTable.build([_ADDRESS], [entry_of(_ADDRESS)])
    look_up(table, Areas(np.zeros(1, np.int32), {}), "xingfu路三号")
    suggest(table, "xingf")


def _load_locator() -> None:
    halves = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    locator = Locator(halves, ["a", "b"])
    locator.find(0.5, 0.5)
    locator.candidates(1.0, 0.5)
    locator.locate([0.5], [0.5])
    locator.redrawn(["a"], halves[:1], ["c"])


def _roads() -> RoadNetwork:
    """A square of four streets."""
    corner = np.arange(4, dtype=np.int32)
    lon, lat = np.array([0.0, 0.01, 0.01, 0.0]), np.array([0.0, 0.0, 0.01, 0.01])
    ends = np.column_stack([corner, np.roll(corner, -1)]).ravel()
    return assemble(
        Roads(
            node_lon=lon,
            node_lat=lat,
            tail=corner,
            head=np.roll(corner, -1),
            length_m=np.full(4, 1100.0),
            time_ms=np.full((3, 8), 100_000, np.int32),
            point_start=np.arange(0, 9, 2, dtype=np.int32),
            lon=lon[ends],
            lat=lat[ends],
            way=np.arange(4, dtype=np.int64),
            kind=np.zeros(4, np.int32),
            name=np.zeros(4, np.int32),
            kinds=("road",),
            names=("",),
        )
    )
