"""Loading the directory of a county from the database, as a whole or what has changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from data.errors import UnplannedError
from data.store import shapes_from_wkb
from grids.book_loading import book_version
from grids.card_layout import load_layout
from grids.layer import Layer, LayerRow
from grids.places import GridFacts, NamedPlace, Places
from grids.staff_loading import load_staff
from grids.who import Directory

__all__ = ["DirectoryVersion", "directory_version", "load_directory", "load_places"]

_GENERATION = text(
    "SELECT id, lower(valid) AS begins, upper(valid) AS ends FROM generation "
    "WHERE county = :county AND valid @> CAST(:at AS timestamptz)"
)
_VERSION = text(
    "SELECT coalesce(string_agg(ground_mark::text, ' ' ORDER BY county), '') AS ground, "
    "coalesce(string_agg(staff_mark::text, ' ' ORDER BY county), '') AS staff, "
    "coalesce((SELECT mark::text FROM address_version WHERE county = :county), '') AS addresses "
    "FROM directory_version WHERE county IN (:county, '000000')"
)
_MICRO_GRIDS = text(
    "SELECT micro_grid.id, micro_grid.code, md5(ST_AsBinary(micro_grid.geom)) AS mark "
    "FROM micro_grid JOIN grid ON grid.id = micro_grid.grid_id WHERE grid.county = :county "
    "AND grid.valid @> CAST(:at AS timestamptz) ORDER BY micro_grid.code"
)
_SERVICE = text("SELECT id, kind FROM service_area WHERE county = :county ORDER BY kind, id")
_MEMBERS = text(
    "SELECT building_id, grid_id FROM membership JOIN grid ON grid.id = grid_id "
    "WHERE membership.county = :county AND membership.valid @> CAST(:at AS timestamptz) "
    "AND grid.valid @> CAST(:at AS timestamptz) AND building_id IS NOT NULL ORDER BY grid.code"
)
_ADDRESS_MEMBERS = text(
    "SELECT address.id, grid_id, address.text, components->>'text' AS other, source_ref, "
    "ST_X(address.geom) AS lon, ST_Y(address.geom) AS lat FROM membership "
    "JOIN grid ON grid.id = grid_id JOIN address ON address.id = address_id "
    "WHERE membership.county = :county AND membership.valid @> CAST(:at AS timestamptz) "
    "AND grid.valid @> CAST(:at AS timestamptz) ORDER BY address.id"
)
_CALLED = text(
    "SELECT id, btrim(text) AS text, btrim(components->>'text') AS other, "
    "ST_X(geom) AS lon, ST_Y(geom) AS lat FROM address WHERE county = :county AND "
    "(btrim(text) = ANY (:names) OR btrim(components->>'text') = ANY (:names)) ORDER BY id"
)
_SHAPES = (
    "SELECT ST_AsBinary(geom) AS geom FROM {table} JOIN unnest(CAST(:ids AS bigint[])) "
    "WITH ORDINALITY AS wanted (id, position) USING (id) ORDER BY position"
)


@dataclass(frozen=True, slots=True)
class DirectoryVersion:
    """Marks of ground, staff and addresses, others after every change; which generation holds."""

    ground: str
    staff: str
    generation: int
    addresses: str


def directory_version(session: Session, county: str, at: datetime) -> DirectoryVersion:
    """What a directory loaded now would hold.

    Raises
    ------
    StateError
        If no plan was published then.
    """
    row = session.execute(_VERSION, {"county": county}).one()
    generation = _generation(session, county, at)
    return DirectoryVersion(row.ground, row.staff, generation.id, row.addresses)


def load_directory(
    session: Session,
    county: str,
    at: datetime | None = None,
    *,
    folder: Path | None = None,
    held: tuple[DirectoryVersion, Directory] | None = None,
) -> Directory:
    """Load the directory of a county for the generation that holds at a time.

    Parameters
    ----------
    folder : Path, optional
        Where built locators are kept, so that other processes map them.
    held : tuple, optional
        A directory and its version: what has not changed is taken from it.

    Raises
    ------
    StateError
        If no plan was published then.
    """
    moment = at or datetime.now(UTC)
    if held is None:
        places = load_places(session, county, moment, folder, None)
        return _staffed(session, county, places)
    was, directory = held
    now = directory_version(session, county, moment)
    same = (now.ground, now.generation) == (was.ground, was.generation)
    places = directory.places
    if not same:
        places = load_places(session, county, moment, folder, places)
    elif now.addresses != places.addresses:
        places = _looked_up_again(session, places, moment)
    if now.staff == was.staff and places.begins >= directory.places.begins:
        return replace(directory, places=places)
    return _staffed(session, county, places)


def _looked_up_again(session: Session, places: Places, moment: datetime) -> Places:
    """The same places where addresses have changed: they may belong to grids by their names."""
    # Before the look-up: what changes meanwhile is looked up once more.
    addresses = book_version(session, places.county)
    found = _address_grids(session, {"county": places.county, "at": moment})
    if found != places.address_grids:
        return replace(places, address_grids=found, addresses=addresses)
    places.addresses = addresses
    return places


def _staffed(session: Session, county: str, places: Places) -> Directory:
    staff = load_staff(session, county, places.begins)
    return Directory(places, staff, load_layout(session, county))


def _generation(session: Session, county: str, moment: datetime) -> Any:
    found = session.execute(_GENERATION, {"county": county, "at": moment}).one_or_none()
    if found is None:
        raise UnplannedError(
            f"county {county} has no published plan at {moment:%Y-%m-%d %H:%M%z}: "
            "run onegrid plan partition and onegrid plan publish"
        )
    return found


def load_places(
    session: Session,
    county: str,
    moment: datetime,
    folder: Path | None = None,
    held: Places | None = None,
) -> Places:
    """Load the places of the generation that holds at a time; for the rest see `load_directory`."""
    key = {"county": county, "at": moment}
    generation = _generation(session, county, moment)
    rows = session.execute(_statement("directory_grids"), key).all()
    grids = [LayerRow(r.id, r.code, r.mark) for r in rows]
    facts = {
        r.id: GridFacts(
            r.id, r.code, r.name, r.kind, r.community, r.community_name, r.households, r.owner
        )
        for r in rows
    }
    micro = [LayerRow(r.id, r.code, r.mark) for r in session.execute(_MICRO_GRIDS, key)]
    areas: dict[str, list[LayerRow]] = {}
    for r in session.execute(_SERVICE, key):
        areas.setdefault(r.kind, []).append(LayerRow(r.id, f"{r.id:012d}"))
    fetch = _Fetcher(session)
    places = Places(
        county,
        generation.begins,
        generation.ends,
        _layer(held.grids if held else None, grids, fetch, "grid", folder, county),
        facts,
        _layer(held.micro_grids if held else None, micro, fetch, "micro_grid", folder, county),
        {kind: Layer(rows, fetch.of("service_area")) for kind, rows in areas.items()},
    )
    _add_members(session, places, key, fetch)
    fetch.leave()
    return places


def _layer(
    held: Layer | None,
    rows: list[LayerRow],
    fetch: "_Fetcher",
    table: str,
    folder: Path | None,
    county: str,
) -> Layer:
    file = folder / f"{county}-{table}" if folder else None
    if held is None:
        return Layer(rows, fetch.of(table), file)
    return held.renewed(rows, fetch.of(table), file)


def _add_members(session: Session, places: Places, key: dict[str, Any], fetch: "_Fetcher") -> None:
    of_building: dict[int, tuple[int, ...]] = {}
    for r in session.execute(_MEMBERS, key):
        of_building[r.building_id] = (*of_building.get(r.building_id, ()), r.grid_id)
    places.addresses = book_version(session, places.county)
    places.address_grids = _address_grids(session, key)
    if of_building:
        rows = [LayerRow(one, f"{one:012d}") for one in sorted(of_building)]
        places.buildings, places.building_grids = Layer(rows, fetch.of("building")), of_building


def _address_grids(session: Session, key: dict[str, Any]) -> dict[str, tuple[NamedPlace, ...]]:
    """As `Places` has them."""
    members = session.execute(_ADDRESS_MEMBERS, key).all()
    if not members:
        return {}
    grid_of = {r.id: r.grid_id for r in members}
    names = {name.strip() for r in members for name in (r.text, r.other, r.source_ref) if name}
    called: dict[str, dict[int, NamedPlace]] = {}
    # Joined here: a planner that has no statistics yet joins them row by row.
    for r in session.execute(_CALLED, {"county": key["county"], "names": [*names]}):
        place = NamedPlace(r.lon, r.lat, grid_of.get(r.id, 0))
        for name in {r.text, r.other} & names:
            called.setdefault(name, {})[r.id] = place
    for r in members:
        # A number is a name where no address is called so.
        if (number := r.source_ref.strip()) not in called:
            called[number] = {r.id: NamedPlace(r.lon, r.lat, r.grid_id)}
    return {name: tuple(places.values()) for name, places in called.items()}


class _Fetcher:
    """Shapes by id: from the session while it loads, from a connection of its own later."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session
        self._engine: Engine = session.get_bind().engine

    def of(self, table: str) -> Any:
        """The function that fetches from one table."""
        return lambda ids: self._shapes(table, ids)

    def leave(self) -> None:
        """The session ends."""
        self._session = None

    def _shapes(self, table: str, ids: Sequence[int]) -> NDArray[np.object_]:
        query, key = text(_SHAPES.format(table=table)), {"ids": list(ids)}
        if self._session is not None:
            return shapes_from_wkb([r.geom for r in self._session.execute(query, key)])
        with Session(self._engine) as session:
            return shapes_from_wkb([r.geom for r in session.execute(query, key)])


@cache
def _statement(name: str) -> Any:
    return text((Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
