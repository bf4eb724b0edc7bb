"""Typed addresses: the right grid, an honest question, or silently the wrong grid.

The demonstration city and Malta (OpenStreetMap, its 613 house numbers) are imported and their
plans published in a throw-away cluster. Every known address is looked up, then what people type
for it: less, otherwise, with errors (`benchmarks._address_variants`; numbers are never mistyped,
since another number is another address). The truth is PostGIS's: the grid that covers most of the
address's building. A question is honest where the right grid is among those it leaves, or where
another place than the address was meant (对面, another city) and no grid is named.

On planted straddling buildings, every twentieth address's building is told to lie in two grids.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from api.demo import furnish
from benchmarks._address_variants import variants
from benchmarks._cases import shared_data, spare_database
from benchmarks.locator import say
from data.database import Database
from data.importing import import_osm
from data.presets import seed_presets
from data.settings import DEMO_COUNTY
from gis.address import Areas
from gis.address.normalize import is_chinese
from grids.address_book import AddressBook
from grids.book_loading import load_book
from grids.directory import load_directory
from grids.plan import draw_draft
from grids.publishing import publish
from tests.invariants import known_grids

__all__ = ["main"]

Row = dict[str, Any]
MALTA = "990200"
# Bars of the issue: shares of all variants.
_HONEST, _SILENT_WRONG = 0.97, 0.001


class Truth(NamedTuple):
    """A known address and the grid of its building, by its id; -1 for none."""

    text: str
    grid: int


def loaded(database: Database, county: str) -> tuple[AddressBook, list[Truth]]:
    """The county's address book, and the truth of each of its rows."""
    with database.session() as session:
        book = load_book(session, load_directory(session, county).places)
        id_of = {facts.code: one for one, facts in book.places.facts.items()}
        known = known_grids(session, county)
        return book, [Truth(one.text, id_of.get(one.code, -1)) for one in known]


def outcome(book: AddressBook, typed: str, want: int, *, is_there: bool = True) -> str:
    """What a typed address gets: right, asked, wrong, or nothing that helps."""
    found = book.look_up(typed)
    if found.is_certain:
        return "right" if is_there and found.areas == (want,) else "wrong"
    if not is_there or want in found.areas:
        return "asked"
    return "unhelpful"


def names_in(book: AddressBook, row: int, full: str) -> tuple[str, ...]:
    """The names in an address that somebody may mistype."""
    if not is_chinese(full):
        return tuple(re.findall(r"^\S+ ([^,]+)", full))
    held = (int(book.table.roads[row]), int(book.table.estates[row]))
    names = [book.table.name(one) for one in held if one >= 0]
    return tuple(name for name in names if name in full)


def judged(book: AddressBook, truth: list[Truth], every: int) -> Row:
    """Known addresses, and their variants by kind."""
    known = Counter(outcome(book, one.text, one.grid) for one in truth)
    kinds: dict[str, Counter[str]] = {}
    for row in range(0, len(truth), every):
        one = truth[row]
        for kind, typed, is_there in variants(one.text, names_in(book, row, one.text), seed=5):
            got = outcome(book, typed, one.grid, is_there=is_there)
            kinds.setdefault(kind, Counter())[got] += 1
    total = sum(kinds.values(), Counter[str]())
    return {
        "addresses": len(truth),
        "known": dict(known),
        "variants": total.total(),
        "right": round(total["right"] / total.total(), 4),
        "right_or_asked": round((total["right"] + total["asked"]) / total.total(), 4),
        "silent_wrong": round(total["wrong"] / total.total(), 5),
        "by_kind": {kind: dict(counts) for kind, counts in kinds.items()},
    }


def straddling(book: AddressBook, truth: list[Truth], every: int) -> Row:
    """Silent answers for addresses whose building is told to lie in two grids."""
    grids = sorted(book.places.facts)
    chosen = range(0, len(truth), 20)
    more = {row: (grids[0] if truth[row].grid != grids[0] else grids[1],) for row in chosen}
    planted = replace(book, areas=Areas(book.areas.first, book.areas.more | more))
    asked = silent = 0
    for row in list(chosen)[:: max(every // 5, 1)]:
        full = truth[row].text
        held = [(full, True), *((t, here) for _, t, here in variants(full, (), seed=2))]
        for typed, _ in held:
            found = planted.look_up(typed)
            asked += 1
            silent += found.is_certain and bool(np.isin(found.rows, list(more)).any())
    return {"asked": asked, "silent": silent}


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="the city alone, every tenth address")
    options = parser.parse_args()
    every = 10 if options.small else 1
    report: Row = {}
    with spare_database() as database, tempfile.TemporaryDirectory() as folder:
        with database.session() as session:
            seed_presets(session)
        with redirect_stdout(sys.stderr):  # its progress is not the report
            furnish(database, Path(folder))
        counties = {"demonstration city": DEMO_COUNTY}
        if shared_data().is_dir() and not options.small:
            counties["Malta"] = MALTA
            path = shared_data() / "osm" / "malta.osm.pbf"
            with database.session() as session:
                import_osm(session, path, county=MALTA, community_levels=("8",))
            with database.session() as session:
                publish(session, MALTA, draw_draft(session, MALTA, seed=1))
        for name, county in counties.items():
            book, truth = loaded(database, county)
            report[name] = judged(book, truth, every)
            report[name]["straddling"] = straddling(book, truth, every)
            say({name: report[name]})
    missed = [part for name, one in report.items() for part in missed_by(name, one)]
    print(json.dumps(report | {"missed": missed}, indent=1, ensure_ascii=False))
    return 1 if missed else 0


def missed_by(name: str, one: Row) -> list[str]:
    """The bars that a city misses."""
    missed = []
    if wrong := set(one["known"]) - {"right", "asked"}:
        missed.append(f"{name}: known addresses are {', '.join(sorted(wrong))}")
    if one["right_or_asked"] < _HONEST:
        missed.append(f"{name}: {one['right_or_asked']} right or asked, bar {_HONEST}")
    if one["silent_wrong"] > _SILENT_WRONG:
        missed.append(f"{name}: {one['silent_wrong']} silently wrong, bar {_SILENT_WRONG}")
    if one["straddling"]["silent"]:
        missed.append(f"{name}: {one['straddling']['silent']} answers on straddling buildings")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
