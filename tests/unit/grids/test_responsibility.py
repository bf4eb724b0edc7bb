"""Who answers, against a slow reading of the same rules, and what must always hold."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import NotFoundError
from grids.places import division_keys
from grids.responsibility import Inquiry, Staff, answer
from grids.responsibility.records import (
    Away,
    Hours,
    IncidentKind,
    Moment,
    PersonFacts,
    Post,
    Rule,
    Shift,
    UnitFacts,
)

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday, 18:00 in Beijing
ROLES = ("gridworker", "police", "mediator", "centre_director", "department")
AREAS = (
    ("micro_grid", "99010000100100101"),
    ("grid", "990100001001001"),
    ("service_area", "7"),
    *division_keys("990100001001"),
)
RULES = [
    Rule("part-owner", "", scope="part", owner="known", to_owner=True),
    Rule("class-role", "", to_role="class"),
    Rule("night", "", hours=Hours(frozenset(), 22 * 60, 6 * 60), to_unit="夜间值班"),
    Rule("gridworker", "", to_role="gridworker"),
]
CLASSES = {
    "E01": IncidentKind("E01", "event", "gridworker"),
    "P01": IncidentKind("P01", "part", "gridworker"),
    "S01": IncidentKind("S01", "security", "police"),
}


def second(n: int) -> float:
    return (T0 + timedelta(hours=n)).timestamp()


def county(seed: int) -> Staff:
    """A random county: some posts overlap, some people are away, some have no telephone."""
    rng = Random(seed)  # noqa: S311 - a test case, no secret
    staff = Staff(classes=CLASSES, rules=RULES)
    for n in range(1, rng.randint(2, 14)):
        phone = f"0990-{n:03d}" if rng.random() < 0.85 else None
        staff.people[n] = PersonFacts(n, f"人{n}", phone, "car", None)
    centre = "990100001000" if rng.random() < 0.5 else "990100"
    staff.add_units(
        [
            UnitFacts(1, "县中心", "centre", "12345", centre),
            UnitFacts(2, "园林局", "department", "0990-900", None),
            UnitFacts(3, "夜间值班", "department", "0990-901", None),
        ]
    )
    people = list(staff.people)
    posts = []
    for n in range(rng.randint(0, 20)):
        unit = rng.random() < 0.15
        begins = second(rng.randint(-20, 10))
        posts.append(
            Post(
                n,
                None if unit else rng.choice(people),
                rng.choice([2, 3]) if unit else None,
                rng.choice(ROLES),
                rng.choice("AAB"),
                rng.choice(AREAS),
                "",
                rng.choice([None, None, None, "part", "S01"]),
                begins,
                begins + rng.randint(1, 30) * 3600,
            )
        )
    staff.add_posts(posts)
    for person in people:
        if rng.random() < 0.4:
            begins = second(rng.randint(-10, 5))
            deputy = rng.choice([None, *(p for p in people if p != person)])
            staff.leave[person] = [Away(begins, begins + 3600 * rng.randint(1, 20), deputy)]
    for unit in (2, 3):
        staff.shifts[unit] = [
            Shift(rng.choice([None, *people]), rng.choice(["resident", "on_call"]), 0.0, 9e12)
        ]
    return staff


def away(staff: Staff, person: int, at: float) -> bool:
    return any(a.begins <= at < a.ends for a in staff.leave.get(person, []))


seeds = st.integers(0, 10_000)
hours = st.integers(-30, 50)
kinds = st.sampled_from([None, *CLASSES])
owners = st.sampled_from([None, "园林局", "不存在的单位"])


@given(seeds, hours, kinds, owners, st.integers(0, 3))
def test_somebody_who_can_be_reached_leads_and_the_inquiry_replays(
    seed: int, hour: int, kind: str | None, owner: str | None, near: int
) -> None:
    staff = county(seed)
    inquiry = Inquiry(AREAS[near:], "urban", T0 + timedelta(hours=hour), kind, owner)
    said = answer(staff, inquiry)
    assert said.lead is not None, "the county has a centre"
    assert said.lead.duty_phone
    assert not said.lead.on_leave
    assert said.people
    assert said.fallback == (said.trace[-1].rule == "centre")
    assert answer(staff, said.inquiry) == said


@given(seeds, hours, kinds)
def test_nobody_on_leave_answers_and_nobody_out_of_time(
    seed: int, hour: int, kind: str | None
) -> None:
    staff = county(seed)
    at = second(hour)
    posts = {post.id: post for held in staff.posts.values() for post in held}
    said = answer(staff, Inquiry(AREAS, "urban", T0 + timedelta(hours=hour), kind))
    for one in said.people:
        if one.person_id is not None:
            assert not away(staff, one.person_id, at)
        if one.responsibility_id is None:
            continue
        post = posts[one.responsibility_id]
        assert post.begins <= at < post.ends
        assert kind is None or post.scope in {None, kind, CLASSES[kind].group}
        if post.person is not None and one.person_id != post.person:
            assert away(staff, post.person, at)
            assert one.stands_for == staff.people[post.person].name
    named = {(one.role, one.person_id, one.unit_id) for one in said.people}
    assert len(named) == len(said.people), "nobody is named twice for a role"


@given(seeds, hours, st.sampled_from(ROLES))
def test_a_role_is_answered_from_the_nearest_area_that_has_somebody(
    seed: int, hour: int, role: str
) -> None:
    """Read slowly: who holds it where, minus who is away without a deputy; nearest first."""
    staff = county(seed)
    staff.posts = {
        area: [post for post in held if post.scope is None] for area, held in staff.posts.items()
    }
    at, moment = second(hour), Moment.of(T0 + timedelta(hours=hour))
    expected: list[int | None] = []
    for area in AREAS:
        here = [p for p in staff.posts.get(area, []) if p.role == role and p.begins <= at < p.ends]
        answering = [p for p in here if p.unit is not None or staff._present(p.person or 0, moment)]
        expected += [p.id for p in answering]
        phones = [
            True if p.unit is not None else bool(staff._present(p.person or 0, moment).duty_phone)  # type: ignore[union-attr]
            for p in answering
        ]
        if any(phones):
            break
    people, left_out = staff.at(AREAS, moment, None)
    found = {one.responsibility_id for one in people if one.role == role}
    assert found <= set(expected)
    assert bool(found) == bool(expected)
    assert {one.responsibility_id for one in left_out}.isdisjoint(found)


def one_person(**away_: Away) -> Staff:
    staff = Staff(classes=CLASSES, rules=RULES)
    staff.people = {n: PersonFacts(n, f"人{n}", f"0990-{n}", "car") for n in range(1, 5)}
    for name, value in away_.items():
        staff.leave[int(name[1:])] = [value]
    return staff


def post(number: int, person: int, holder: str = "A", area: int = 1, **more: object) -> Post:
    facts = {"begins": 0.0, "ends": 9e12, "scope": None, "role": "gridworker"} | more
    return Post(number, person, None, area=AREAS[area], area_name="", holder=holder, **facts)  # type: ignore[arg-type]


def test_b_answers_while_a_is_away_and_a_afterwards() -> None:
    staff = one_person(p1=Away(second(0), second(5)))
    staff.add_posts([post(1, 1), post(2, 2, "B")])
    for hour, names in [(-1, ["人1", "人2"]), (0, ["人2"]), (4, ["人2"]), (5, ["人1", "人2"])]:
        said = answer(staff, Inquiry(AREAS, "urban", T0 + timedelta(hours=hour), "E01"))
        assert [one.name for one in said.people] == names
        assert said.lead is not None
        assert said.lead.name == names[0]
        assert [one.name for one in said.left_out] == (["人1"] if len(names) == 1 else [])


def test_a_named_deputy_stands_in_and_a_circle_of_deputies_ends() -> None:
    forever = {"begins": 0.0, "ends": 9e12}
    staff = one_person(p1=Away(**forever, deputy=2), p2=Away(**forever, deputy=3))
    staff.add_posts([post(1, 1)])
    said = answer(staff, Inquiry(AREAS, "urban", T0, "E01"))
    assert said.lead is not None
    assert (said.lead.name, said.lead.stands_for) == ("人3", "人1")
    staff.leave[3] = [Away(**forever, deputy=1)]
    said = answer(staff, Inquiry(AREAS, "urban", T0, "E01"))
    assert said.lead is not None
    assert (said.lead.name, said.lead.on_leave, said.fallback) == ("人1", True, True)


def test_a_part_goes_to_its_owner_first_and_an_event_to_the_territory() -> None:
    staff = one_person()
    staff.add_units([UnitFacts(1, "供电公司", "department", "95598", None)])
    staff.rules = [RULES[0], RULES[1], Rule("event-owner", "", owner="known", to_owner=True)]
    staff.add_posts([post(1, 1)])
    part = answer(staff, Inquiry(AREAS, "urban", T0, "P01", "供电公司"))
    event = answer(staff, Inquiry(AREAS, "urban", T0, "E01", "供电公司"))
    assert part.lead is not None
    assert event.lead is not None
    assert (part.lead.name, part.lead.duty_phone) == ("供电公司", "95598")
    assert event.lead.name == "人1"
    assert (event.trace[0].outcome, event.trace[0].detail) == ("only for the class", "part")
    nobody = answer(staff, Inquiry(AREAS[3:], "urban", T0, "E01", "供电公司"))
    assert nobody.lead is not None
    assert nobody.lead.name == "供电公司"


def test_a_unit_answers_by_its_roster() -> None:
    staff = one_person(p2=Away(second(20), second(40)))
    staff.add_units([UnitFacts(1, "住建局", "department", "0990-800", None)])
    day, night = Hours(frozenset({1, 2, 3, 4, 5}), 510, 1050), Hours(frozenset(), 1050, 510)
    staff.shifts[1] = [
        Shift(1, "resident", 0.0, 9e12, day),
        Shift(2, "rotating", second(0), second(48), night),
        Shift(None, "on_call", 0.0, 9e12),
    ]
    staff.add_posts([Post(1, None, 1, "department", "A", AREAS[5], "", None, 0.0, 9e12)])

    def on_duty(hour: int) -> tuple[str, str | None]:
        people = answer(staff, Inquiry(AREAS, None, T0 + timedelta(hours=hour))).people
        return people[0].name, people[0].duty_phone

    assert on_duty(-4) == ("住建局 人1", "0990-1"), "Monday 14:00"
    assert on_duty(2) == ("住建局 人2", "0990-2"), "Monday 20:00"
    assert on_duty(26) == ("住建局", "0990-800"), "Tuesday 20:00, the rotating one is away"
    assert on_duty(16) == ("住建局 人1", "0990-1"), "Tuesday 10:00"
    assert on_duty(24 * 5 - 8) == ("住建局", "0990-800"), "Saturday 10:00"


def test_a_person_without_a_telephone_does_not_hide_one_who_has() -> None:
    staff = one_person()
    staff.people[1] = PersonFacts(1, "人1", None, "car")
    staff.add_posts([post(1, 1), post(2, 2, area=3)])
    said = answer(staff, Inquiry(AREAS, "urban", T0, "E01"))
    assert said.lead is not None
    assert said.lead.name == "人2"
    assert [one.name for one in said.people] == ["人2", "人1"]


def test_an_unknown_class_is_said() -> None:
    with pytest.raises(NotFoundError, match="no incident class 'X'"):
        answer(one_person(), Inquiry(AREAS, "urban", T0, "X"))


def test_a_county_without_anybody_says_so() -> None:
    said = answer(one_person(), Inquiry(AREAS, "urban", T0))
    assert (said.lead, said.people, said.fallback) == (None, (), True)


@given(st.integers(1, 7), st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_hours_past_midnight_belong_to_the_day_they_began(
    weekday: int, minute: int, starts: int, ends: int
) -> None:
    """Read slowly: the minute lies in the stretch that began today or yesterday."""
    length = (ends - starts) % 1440
    inside = False
    for back in (0, 1):
        begin = starts - 1440 * back
        day = (weekday - 1 - back) % 7 + 1
        inside |= day == 3 and begin <= minute < begin + length
    held = Hours(frozenset({3}), starts, ends).hold(Moment(0.0, weekday, minute))
    assert held == inside or starts == ends
