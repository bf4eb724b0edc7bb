"""A change report as a workbook."""

from collections.abc import Iterable
from typing import Any

from grids.drafting.change_report import ChangeReport, GridLine
from maps.sheets import add_sheet, empty_workbook, saved
from maps.texts import Texts

__all__ = ["report_workbook"]


def report_workbook(report: ChangeReport, words: Texts) -> bytes:
    """Write the report's tables as an XLSX file; words begin no formula."""
    book = empty_workbook()
    add_sheet(book, words("Totals"), _totals(report, words))
    add_sheet(book, words("Grids"), _grids(report, words))
    add_sheet(book, words("Lineage"), _lineage(report, words))
    add_sheet(book, words("Open incidents"), _incidents(report, words))
    add_sheet(book, words("Warnings"), _warnings(report, words))
    return saved(book)


def _totals(report: ChangeReport, words: Texts) -> Iterable[list[Any]]:
    yield ["", words("before"), words("after")]
    was, now = report.before, report.after
    yield [words("Grids"), was.grids, now.grids]
    yield [words("Households"), was.households, now.households]
    yield [words("above the range"), was.over, now.over]
    yield [words("below the range"), was.under, now.under]
    yield [words("Households that move"), "", report.moved]


def _grids(report: ChangeReport, words: Texts) -> Iterable[list[Any]]:
    names = ("Households", "People", "Area (ha)", "Compactness", "Longest walk (m)")
    heads = [f"{words(name)} {words(side)}" for name in names for side in ("before", "after")]
    yield [words("Community"), words("Grid"), words("Kind"), words("Gridworker"), *heads]
    for one in report.communities:
        for line in one.grids:
            yield [one.name, line.name, words(line.kind), line.worker, *_figures(line)]


def _figures(line: GridLine) -> list[Any]:
    sides = [
        (
            f.households,
            round(f.people),
            round(f.area_m2 / 1e4, 2),
            round(f.compactness, 3),
            f.walk_m,
        )
        if f
        else (None,) * 5
        for f in (line.before, line.after)
    ]
    return [value for pair in zip(*sides, strict=True) for value in pair]


def _lineage(report: ChangeReport, words: Texts) -> Iterable[list[Any]]:
    share = words("Share of the grid left")
    yield [
        words("Community"),
        words("From"),
        words("To"),
        words("Households"),
        words("People"),
        share,
    ]
    for one in report.communities:
        for line in one.lineage:
            facts = [line.source, line.target, line.households, line.people]
            yield [one.name, *facts, round(line.share, 4)]


def _incidents(report: ChangeReport, words: Texts) -> Iterable[list[Any]]:
    yield [words("Case"), words("Class"), words("State"), words("Grid")]
    for row in report.incidents:
        yield [row.case, row.class_name, words(row.state), row.now]


def _warnings(report: ChangeReport, words: Texts) -> Iterable[list[Any]]:
    yield [words("Community"), words("Warning"), words("Grid"), words("Figure")]
    for one in report.communities:
        for warned, name in one.warnings:
            yield [one.name, words(f"warning {warned.kind}"), name, round(warned.figure, 3)]
