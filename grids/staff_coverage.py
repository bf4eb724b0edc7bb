"""Where the staff has gaps: roles without a holder, telephones missing, overlaps, heavy loads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import shapely

from data.scope import Scope
from grids.places import GridFacts, division_keys
from grids.responsibility.records import AreaKey, Moment, Post
from grids.responsibility.staff import Staff
from grids.who import Directory

__all__ = ["PROBLEMS", "Coverage", "Problem", "staff_coverage"]

PROBLEMS = ("nobody", "no_phone", "overlap", "too_many", "gone")
# A beat drawn by hand misses a grid's edge by a hair without leaving anybody out.
_COVERED = 0.999
_OVERLAP = 0.01


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the report.

    Attributes
    ----------
    problem : str
        One of `PROBLEMS`: a role without a holder, a holder without a telephone, two A holders
        of one role in one area, a person with too many households, a post whose area is gone.
    area_kind, area, area_name : str
        Where; empty for a person's load.
    figure : float or None
        The part of a grid in which a role is held, the number of A holders, the part of the
        smaller area that overlaps, the households of a person.
    detail : str
        The same in words.
    """

    problem: str
    area_kind: str
    area: str
    area_name: str
    role: str
    person: str
    figure: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The report.

    Attributes
    ----------
    missing : dict of str to tuple of str
        Code of each grid → roles that it lacks.
    """

    roles: tuple[str, ...]
    missing: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...]

    def within(self, scope: Scope) -> "Coverage":
        """The part that concerns an area; what belongs to none, such as a beat, is the county's."""
        if scope.is_whole:
            return self
        missing = {code: lacks for code, lacks in self.missing.items() if scope.covers(code)}
        mine = [p for p in self.problems if p.area.isdigit() and scope.covers(p.area)]
        return replace(self, missing=missing, problems=tuple(mine))


def staff_coverage(
    directory: Directory, roles: Sequence[str], *, at: datetime, most_households: int = 600
) -> Coverage:
    """Report the gaps of a county's staff at a time.

    Parameters
    ----------
    roles : sequence of str
        What every grid is to have: a team.
    most_households : int
        Households of the grids that one person may hold as A.
    """
    directory.require(at)
    moment = Moment.of(at)
    survey = _Survey(directory, tuple(roles), moment)
    problems = [
        *survey.gaps(),
        *survey.without_phone(),
        *survey.overlaps(),
        *survey.loads(most_households),
        *survey.gone(),
    ]
    return Coverage(survey.roles, survey.missing, tuple(problems))


class _Survey:
    def __init__(self, directory: Directory, roles: tuple[str, ...], moment: Moment) -> None:
        self._places, self._staff = directory.places, directory.staff
        self.roles, self._moment = roles, moment
        self._grids = sorted(self._places.facts.values(), key=lambda one: one.code)
        self._micro: dict[str, list[str]] = {}
        for code in filter(None, self._places.micro_grids.locator.codes.tolist()):
            self._micro.setdefault(code[: len(self._grids[0].code)], []).append(code)
        self.missing: dict[str, tuple[str, ...]] = {grid.code: () for grid in self._grids}

    def gaps(self) -> Iterator[Problem]:
        """Roles that nobody answers for in a grid, as a whole or in a part of it."""
        covered = {role: self._covered_share(role) for role in self.roles}
        for position, grid in enumerate(self._grids):
            keys: list[AreaKey] = [("grid", grid.code), *division_keys(grid.community)]
            people, left_out = self._staff.at(keys, self._moment, None)
            held = {one.role for one in people}
            away = {one.role for one in left_out}
            lacks = []
            for role in self.roles:
                if role in held:
                    continue
                share = max(float(covered[role][position]), self._micro_share(grid, role))
                if share >= _COVERED:
                    continue
                lacks.append(role)
                detail = "on leave, no deputy" if role in away else ""
                if share > 0:
                    detail = f"held for {share:.0%} of it"
                place = ("grid", grid.code, grid.name)
                yield Problem("nobody", *place, role, "", share, detail)
            self.missing[grid.code] = tuple(lacks)

    def _micro_share(self, grid: GridFacts, role: str) -> float:
        """Part of a grid's micro-grids in which a role is held."""
        parts = self._micro.get(grid.code, [])
        held = sum(self._holds(("micro_grid", code), role) for code in parts)
        return held / len(parts) if parts else 0.0

    def _holds(self, area: AreaKey, role: str) -> bool:
        if area not in self._staff.posts:
            return False
        people, _ = self._staff.at([area], self._moment, None)
        return any(one.role == role for one in people)

    def _covered_share(self, role: str) -> Any:
        """Part of each grid that lies in service areas where a role is held."""
        shapes = [shape for _, shape in self._service(role)]
        if not shapes:
            return np.zeros(len(self._grids))
        ids = [grid.id for grid in self._grids]
        grids = self._places.grids.shapes(ids)
        union = shapely.union_all(shapes)
        shapely.prepare(union)
        whole = shapely.covers(union, grids)
        share = whole.astype(float)
        part = ~whole & shapely.intersects(union, grids)
        share[part] = shapely.area(shapely.intersection(grids[part], union)) / shapely.area(
            grids[part]
        )
        return share

    def _service(self, role: str) -> Iterator[tuple[str, Any]]:
        for layer in self._places.service.values():
            ids = [one for one in layer.ids if self._holds(("service_area", str(one)), role)]
            yield from zip(map(str, ids), layer.shapes(ids), strict=True)

    def _open_posts(self) -> Iterator[Post]:
        at = self._moment.at
        for posts in self._staff.posts.values():
            yield from (post for post in posts if post.begins <= at < post.ends)

    def without_phone(self) -> Iterator[Problem]:
        """Holders whom nobody can call, by their own telephone or their unit's."""
        for post in self._open_posts():
            person = self._staff.people.get(post.person or 0)
            if person is None or person.duty_phone or person.unit in self._staff.units:
                continue
            yield _of(post, "no_phone", person.name)

    def overlaps(self) -> Iterator[Problem]:
        """Areas with more than one A holder of a role, and areas of one role that overlap."""
        groups: dict[tuple[AreaKey, str, str | None], list[Post]] = {}
        for post in self._open_posts():
            if post.holder == "A":
                groups.setdefault((post.area, post.role, post.scope), []).append(post)
        for posts in groups.values():
            if len(posts) > 1:
                names = "、".join(_name(self._staff, post) for post in posts)
                yield _of(posts[0], "overlap", names, len(posts), f"{len(posts)} A holders")
        yield from self._overlapping_areas()

    def _overlapping_areas(self) -> Iterator[Problem]:
        for role in sorted({post.role for post in self._open_posts()}):
            areas = list(self._service(role))
            shapes = np.array([shape for _, shape in areas], dtype=object)
            if len(shapes) < 2:
                continue
            left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
            for a, b in zip(left.tolist(), right.tolist(), strict=True):
                common = shapely.area(shapely.intersection(shapes[a], shapes[b])) if a < b else 0
                share = common / min(shapely.area(shapes[a]), shapely.area(shapes[b]))
                if share > _OVERLAP:
                    posts = [self._staff.posts["service_area", areas[i][0]][0] for i in (a, b)]
                    detail = f"overlaps {posts[1].area_name} by {share:.0%}"
                    names = "、".join(_name(self._staff, post) for post in posts)
                    one = _of(posts[0], "overlap", names, share, detail)
                    yield replace(one, role=role)

    def loads(self, most: int) -> Iterator[Problem]:
        """People who hold grids with too many households, as A."""
        households = {("grid", grid.code): grid.households for grid in self._grids}
        load: dict[tuple[int, str], list[int]] = {}
        for post in self._open_posts():
            if post.holder == "A" and post.person is not None and post.area in households:
                load.setdefault((post.person, post.role), []).append(households[post.area])
        for (person, role), grids in sorted(load.items()):
            if sum(grids) > most:
                detail = f"{sum(grids)} households in {len(grids)} grids, at most {most}"
                name = self._staff.people[person].name
                yield Problem("too_many", "", "", "", role, name, sum(grids), detail)

    def gone(self) -> Iterator[Problem]:
        """Posts whose grid or micro-grid is not in the plan."""
        known = {grid.code for grid in self._grids}
        known |= {code for codes in self._micro.values() for code in codes}
        for post in self._open_posts():
            if post.area[0] in {"grid", "micro_grid"} and post.area[1] not in known:
                yield _of(post, "gone", _name(self._staff, post), None, "not in the plan")


def _of(
    post: Post, problem: str, person: str, figure: float | None = None, detail: str = ""
) -> Problem:
    kind, code = post.area
    return Problem(problem, kind, code, post.area_name, post.role, person, figure, detail)


def _name(staff: Staff, post: Post) -> str:
    if post.person is not None:
        return staff.people[post.person].name
    return staff.units[post.unit].name if post.unit is not None else ""
