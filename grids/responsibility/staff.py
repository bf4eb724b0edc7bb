"""The staff of a county: who answers at a place and a time; pure.

Leave, deputies, A and B holders and rosters decide who answers for a post; `rules` decides
who is asked first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from grids.responsibility.answer import Holder, LeftOut
from grids.responsibility.records import (
    AreaKey,
    Away,
    IncidentKind,
    Moment,
    PersonFacts,
    Post,
    Rule,
    Shift,
    UnitFacts,
)

__all__ = ["Staff"]

_PRESENCE = {"resident": 0, "rotating": 1, "on_call": 2}


@dataclass(slots=True)
class Staff:
    """People, units, posts, leave, rosters, classes and rules of a county.

    Attributes
    ----------
    posts : dict of AreaKey to list of Post
        A before B, then by id; see `add_posts`.
    leave, shifts : dict
        By person and by unit.
    rules : list of Rule
        In the order in which they are asked.
    centres : dict of str to int
        The unit that is the centre of a division, by the division's code.
    """

    people: dict[int, PersonFacts] = field(default_factory=dict)
    units: dict[int, UnitFacts] = field(default_factory=dict)
    posts: dict[AreaKey, list[Post]] = field(default_factory=dict)
    leave: dict[int, list[Away]] = field(default_factory=dict)
    shifts: dict[int, list[Shift]] = field(default_factory=dict)
    classes: dict[str, IncidentKind] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    unit_names: dict[str, int] = field(default_factory=dict)
    centres: dict[str, int] = field(default_factory=dict)
    _usual: dict[int, Holder] = field(default_factory=dict)

    def add_units(self, units: Iterable[UnitFacts]) -> None:
        """Put units where they are looked up; of two of one name the first is meant."""
        for unit in units:
            self.units[unit.id] = unit
            self.unit_names.setdefault(unit.name, unit.id)
            if unit.kind == "centre" and unit.area is not None:
                self.centres.setdefault(unit.area, unit.id)

    def add_posts(self, posts: Iterable[Post]) -> None:
        """Put posts where they are looked up, after people and units."""
        for post in sorted(posts, key=lambda one: (one.holder, one.id)):
            self.posts.setdefault(post.area, []).append(post)
            if post.person is not None:
                self._usual[post.id] = self._holder(post, self.people[post.person], None)

    def at(
        self, areas: Iterable[AreaKey], moment: Moment, kind: IncidentKind | None
    ) -> tuple[list[Holder], list[LeftOut]]:
        """Who answers in each role, and who does not and why.

        A role is answered from the nearest area that has somebody who can be reached, A
        before B; from a wider one only where there is none.
        """
        found: dict[tuple[str, str | None], list[Holder]] = {}
        reached: set[tuple[str, str | None]] = set()
        left_out: list[LeftOut] = []
        for area in areas:
            here = set()
            for post in self._held(area, moment, kind):
                part = (post.role, None if kind else post.scope)
                if part in reached:
                    continue
                # Who answers while nobody is away: made once, and nearly always the answer.
                answers: Holder | str | None = self._usual.get(post.id)
                if answers is None or post.person in self.leave:
                    answers = self._answers(post, moment)
                if isinstance(answers, str):
                    left_out.append(LeftOut(post.id, self._name(post), post.role, answers))
                    continue
                found.setdefault(part, []).append(answers)
                if answers.duty_phone:
                    here.add(part)
            reached |= here
        # Whoever holds a role for several classes is one holder of the role.
        of_role: dict[str, list[Holder]] = {}
        for (role, _), holders in found.items():
            of_role.setdefault(role, []).extend(holders)
        people: list[Holder] = []
        for role in sorted(of_role):
            holders = of_role[role]
            people += holders if len(holders) == 1 else _reachable(holders)
        return people, left_out

    def on_leave(
        self, areas: Iterable[AreaKey], moment: Moment, kind: IncidentKind | None
    ) -> Holder | None:
        """The nearest person who is away: the answer where everybody is."""
        away = [
            self._holder(post, person, None, on_leave=True)
            for area in areas
            for post in self._held(area, moment, kind)
            if post.person is not None and (person := self.people[post.person])
        ]
        return next(iter(_reachable(away)), None)

    def unit_on_duty(self, unit_id: int, moment: Moment) -> tuple[PersonFacts | None, str]:
        """The person on a unit's roster at a moment, if any, and the telephone that answers.

        The resident is asked before the rotating, and these before the one on call.
        """
        unit = self.units[unit_id]
        now = [
            shift
            for shift in self.shifts.get(unit_id, [])
            if shift.begins <= moment.at < shift.ends and shift.hours.hold(moment)
        ]
        for shift in sorted(now, key=lambda one: _PRESENCE[one.presence]):
            if shift.person is None:
                return None, unit.duty_phone
            person = self._present(shift.person, moment)
            if person is not None:
                return person, person.duty_phone or unit.duty_phone
        return None, unit.duty_phone

    def unit_holder(self, unit_id: int, moment: Moment, role: str, by: str, area: str) -> Holder:
        """A unit that answers without a post: a rule names it, or it is the centre."""
        person, phone = self.unit_on_duty(unit_id, moment)
        unit = self.units[unit_id]
        return Holder(
            None,
            person.id if person else None,
            unit_id,
            f"{unit.name} {person.name}" if person else unit.name,
            role,
            "A",
            phone,
            person.mode if person else "car",
            by,
            area,
        )

    def _held(self, area: AreaKey, moment: Moment, kind: IncidentKind | None) -> list[Post]:
        posts = self.posts.get(area)
        if not posts:
            return []
        at = moment.at
        scopes = None if kind is None else kind.scopes
        return [
            post
            for post in posts
            if post.begins <= at < post.ends
            and (scopes is None or post.scope is None or post.scope in scopes)
        ]

    def _answers(self, post: Post, moment: Moment) -> Holder | str:
        """Who answers for a post, or why nobody does."""
        if post.unit is not None:
            duty, phone = self.unit_on_duty(post.unit, moment)
            return self._holder(post, duty, phone)
        assert post.person is not None  # noqa: S101 - a post has a person or a unit
        if not self._away(post.person, moment):
            return self._usual[post.id]
        deputy = self._present(post.person, moment)
        if deputy is None:
            return "on leave"
        return self._holder(post, deputy, None, self.people[post.person].name)

    def _holder(
        self,
        post: Post,
        person: PersonFacts | None,
        phone: str | None,
        stands_for: str | None = None,
        *,
        on_leave: bool = False,
    ) -> Holder:
        unit = self.units.get(post.unit) if post.unit is not None else None
        own = person.name if person else ""
        if person is not None and phone is None:
            phone = person.duty_phone
            if phone is None and person.unit in self.units:
                phone = self.units[person.unit].duty_phone
        return Holder(
            post.id,
            person.id if person else None,
            post.unit,
            f"{unit.name} {own}".rstrip() if unit else own,
            post.role,
            post.holder,
            phone,
            person.mode if person else "car",
            post.area[0],
            post.area_name,
            stands_for,
            on_leave,
        )

    def _name(self, post: Post) -> str:
        if post.person is not None:
            return self.people[post.person].name
        assert post.unit is not None  # noqa: S101 - a post has a person or a unit
        return self.units[post.unit].name

    def _away(self, person: int, moment: Moment) -> Away | None:
        at = moment.at
        return next((a for a in self.leave.get(person, ()) if a.begins <= at < a.ends), None)

    def _present(self, person: int, moment: Moment) -> PersonFacts | None:
        """The person, or who stands in, or who stands in for that one; None if all are away."""
        asked: set[int] = set()
        while person not in asked:
            away = self._away(person, moment)
            if away is None:
                return self.people[person]
            if away.deputy is None:
                return None
            asked.add(person)
            person = away.deputy
        return None


def _reachable(holders: list[Holder]) -> list[Holder]:
    """Those with a telephone first; each person or unit once for a role."""
    each: dict[tuple[int | None, int | None], Holder] = {}
    for one in holders:
        each.setdefault((one.person_id, one.unit_id), one)
    return sorted(each.values(), key=_without_phone)


def _without_phone(one: Holder) -> bool:
    return not one.duty_phone
