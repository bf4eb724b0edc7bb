"""Who is asked first: ordered rules, a trace of them, and the territory's centre last; pure."""

from dataclasses import replace

from data.errors import NotFoundError
from grids.responsibility.answer import Holder, Inquiry, StaffAnswer, Step
from grids.responsibility.records import AreaKey, IncidentKind, Moment, Rule
from grids.responsibility.staff import Staff

__all__ = ["answer"]

DIRECTOR = "centre_director"
_DIVISIONS = ("community", "town", "county")
_FOUND, _NOBODY = "found", "nobody who can be reached"


def answer(staff: Staff, inquiry: Inquiry) -> StaffAnswer:
    """Everybody responsible for an inquiry, and who leads.

    Pure: the same staff and the same inquiry give the same answer and the same trace.

    Raises
    ------
    NotFoundError
        If the class of incident is unknown.
    """
    kind = None
    if inquiry.class_code is not None:
        kind = staff.classes.get(inquiry.class_code)
        if kind is None:
            raise NotFoundError(f"no incident class {inquiry.class_code!r}; see onegrid classes")
    moment = Moment.of(inquiry.at)
    people, left_out = staff.at(inquiry.areas, moment, kind)
    lead, trace = _lead(staff, inquiry, moment, kind, people)
    fallback = lead is None
    if lead is None:
        lead = _centre(staff, inquiry, moment, kind, people)
        trace.append(_step("centre", "属地兜底", DIRECTOR, lead))
    if lead is not None and not people:
        people = [lead]
    return StaffAnswer(inquiry, tuple(people), lead, fallback, tuple(trace), tuple(left_out))


def _lead(
    staff: Staff,
    inquiry: Inquiry,
    moment: Moment,
    kind: IncidentKind | None,
    people: list[Holder],
) -> tuple[Holder | None, list[Step]]:
    trace = []
    for rule in staff.rules:
        if unmet := _unmet(rule, inquiry, moment, kind):
            trace.append(Step(rule.code, rule.name, None, *unmet))
            continue
        asked, found = _ask(staff, rule, inquiry, moment, kind, people)
        trace.append(_step(rule.code, rule.name, asked, found))
        if found is not None:
            return found, trace
    return None, trace


def _step(code: str, name: str, asked: str, found: Holder | None) -> Step:
    if found is None:
        return Step(code, name, asked, _NOBODY)
    return Step(code, name, asked, _FOUND, f"{found.name} ({found.by} {found.area})")


def _unmet(
    rule: Rule, inquiry: Inquiry, moment: Moment, kind: IncidentKind | None
) -> tuple[str, str] | None:
    """The first condition that is not met, and what it asks for; None where all are."""
    if rule.grid_kind is not None and rule.grid_kind != inquiry.grid_kind:
        return "only in grids of the kind", rule.grid_kind
    if rule.division is not None and not any(
        key in _DIVISIONS and code.startswith(rule.division) for key, code in inquiry.areas
    ):
        return "only in the division", rule.division
    if rule.scope is not None and (kind is None or rule.scope not in kind.scopes):
        return "only for the class", rule.scope
    if rule.to_role == "class" and kind is None:
        return "no class was stated", ""
    if not rule.hours.hold(moment):
        return "not at this time", ""
    return _owner_unmet(rule.owner, inquiry.owner)


def _owner_unmet(wanted: str | None, owner: str | None) -> tuple[str, str] | None:
    if wanted is None or wanted == owner or (wanted == "known" and owner is not None):
        return None
    return ("no owner is known", "") if owner is None else ("only for the owner", wanted)


def _ask(
    staff: Staff,
    rule: Rule,
    inquiry: Inquiry,
    moment: Moment,
    kind: IncidentKind | None,
    people: list[Holder],
) -> tuple[str, Holder | None]:
    if rule.to_role is not None:
        role = kind.role if rule.to_role == "class" and kind else rule.to_role
        return role, next((one for one in people if one.role == role and one.duty_phone), None)
    name = (inquiry.owner if rule.to_owner else rule.to_unit) or ""
    unit = staff.unit_names.get(name)
    if unit is None:
        return name, None
    return name, staff.unit_holder(unit, moment, "department", "rule", rule.code)


def _centre(
    staff: Staff,
    inquiry: Inquiry,
    moment: Moment,
    kind: IncidentKind | None,
    people: list[Holder],
) -> Holder | None:
    """The centre of the community, else of the town, the county; else whoever is held here."""
    for area in inquiry.areas:
        if area[0] in _DIVISIONS:
            found = _centre_of(staff, area, moment)
            if found is not None:
                return found
    return people[0] if people else staff.on_leave(inquiry.areas, moment, kind)


def _centre_of(staff: Staff, area: AreaKey, moment: Moment) -> Holder | None:
    people, _ = staff.at([area], moment, None)
    for one in people:
        if one.role == DIRECTOR and one.duty_phone:
            return replace(one, by="centre")
    unit = staff.centres.get(area[1])
    if unit is None:
        return None
    return staff.unit_holder(unit, moment, DIRECTOR, "centre", area[1])
