"""The life cycle of an incident: one state machine, configured by data; pure.

A *flow* 流程 is a list of transitions. Which states there are, and what each means to clocks and
lists, is fixed; which transitions lead from one to the next, who may make them and what must be
given is each place's own practice (`data/presets/flows.json`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from routing.lifecycle.errors import FlowError, TransitionRefusedError

__all__ = [
    "ACTORS",
    "ENDED",
    "GUARDS",
    "LEVELS",
    "PAUSED",
    "STATES",
    "Flow",
    "IncidentFacts",
    "Transition",
]

# 受理 分流 派遣 办理 反馈 核查 回访 结案; 退回 返工 延期 挂账 作废.
STATES = (
    "accepted",
    "triaged",
    "dispatched",
    "handled",
    "reported",
    "verified",
    "followed_up",
    "closed",
    "returned",
    "rework",
    "extension",
    "suspended",
    "void",
)
ENDED = frozenset({"closed", "void"})
# Clocks stand still: what is suspended waits for something that nobody here can hasten.
PAUSED = frozenset({"suspended"})
CHECKED = frozenset({"verified", "followed_up"})
# Escalation goes from the grid to the town's centre and on to the county's.
LEVELS = ("grid", "town", "county")
ACTORS = frozenset({"dispatcher", "centre", "worker", "system"})
NEEDS = frozenset({"reason", "holder", "result", "satisfaction", "amount", "units", "unit"})
BACK = "="


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What a flow must know of an incident.

    Attributes
    ----------
    state : str
        One of `STATES`.
    before : str
        The state that a pause or a request came from; it goes back there.
    level : str
        One of `LEVELS`: who leads.
    whistles : int
        Departments that were called and have not yet reported.
    handler : str
        Who handles it or handled it last; nobody verifies their own work.
    on_duty_list : bool
        Whether the class may be sent to a gridworker today (事项清单).
    to_gridworker : bool
        Whether the holder now given is a gridworker.
    """

    state: str
    before: str = ""
    level: str = "grid"
    whistles: int = 0
    handler: str = ""
    on_duty_list: bool = True
    to_gridworker: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from some states to another.

    Attributes
    ----------
    action : str
        What is done: ``dispatch``, ``report``, ``close`` …
    sources : frozenset of str
    target : str
        ``=`` for the state that it came from (`IncidentFacts.before`); empty to stay.
    actors : frozenset of str
        Who may; of `ACTORS`.
    needs : tuple of str
        What must be given, of `NEEDS`.
    guards : tuple of str
        What must hold, of `GUARDS`.
    """

    action: str
    sources: frozenset[str]
    target: str
    actors: frozenset[str]
    needs: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


def _reported_in(facts: IncidentFacts, _actor: str) -> bool:
    return facts.whistles == 0


def _not_own(facts: IncidentFacts, actor: str) -> bool:
    return not facts.handler or facts.handler != actor


def _may_be_sent(facts: IncidentFacts, _actor: str) -> bool:
    return facts.on_duty_list or not facts.to_gridworker


def _below_county(facts: IncidentFacts, _actor: str) -> bool:
    return facts.level != LEVELS[-1]


def _called(facts: IncidentFacts, _actor: str) -> bool:
    return facts.whistles > 0


GUARDS = {
    "whistles_answered": _reported_in,
    "whistled": _called,
    "not_own_work": _not_own,
    "on_duty_list": _may_be_sent,
    "below_county": _below_county,
}


@dataclass(frozen=True)
class Flow:
    """A flow that has been checked.

    Raises
    ------
    FlowError
        If a transition names something unknown, a state cannot be reached or does not lead to
        an end, an action is ambiguous, or an end other than void follows no verification or
        follow-up.
    """

    code: str
    name: str
    transitions: tuple[Transition, ...]

    def __post_init__(self) -> None:
        """Check it."""
        _check(self)

    @classmethod
    def from_rows(cls, code: str, name: str, rows: Iterable[Mapping[str, Any]]) -> "Flow":
        """Make a flow of plain values as the database holds them.

        Examples
        --------
        >>> Flow.from_rows("x", "x", [{"action": "go", "from": ["nowhere"], "to": "void",
        ...                            "by": ["dispatcher"]}])
        Traceback (most recent call last):
        routing.lifecycle.errors.FlowError: flow x, go: unknown state 'nowhere'
        """
        made = tuple(
            Transition(
                row["action"],
                frozenset(row["from"]),
                row.get("to", ""),
                frozenset(row["by"]),
                tuple(row.get("needs", ())),
                tuple(row.get("guards", ())),
            )
            for row in rows
        )
        return cls(code, name, made)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The states that this flow uses, in their usual order."""
        used = {"accepted"} | {one.target for one in self.transitions}
        return tuple(state for state in STATES if state in used)

    def options(self, facts: IncidentFacts, role: str, actor: str = "") -> tuple[Transition, ...]:
        """Transitions that somebody may make now; what must be given is not looked at."""
        return tuple(
            one
            for one in self.transitions
            if facts.state in one.sources and role in one.actors and not _unmet(one, facts, actor)
        )

    def find(
        self,
        facts: IncidentFacts,
        action: str,
        role: str,
        *,
        actor: str = "",
        given: Mapping[str, Any] | None = None,
    ) -> Transition:
        """The transition of an action from here, if it may be made.

        Parameters
        ----------
        role : str
            Of `ACTORS`.
        actor : str
            Who makes it, as `IncidentFacts.handler` names people.
        given : mapping
            What comes with it; what the transition needs must be in it and not be empty.

        Raises
        ------
        TransitionRefusedError
            With the rule that says no; nothing has changed.
        """
        named = [one for one in self.transitions if one.action == action]
        here = [one for one in named if facts.state in one.sources]
        if not here:
            why = f"{action!r} does not follow {facts.state!r} in flow {self.code}"
            raise TransitionRefusedError("state", why)
        found = next((one for one in here if role in one.actors), None)
        if found is None:
            raise TransitionRefusedError("actor", f"{action!r} is not for a {role}")
        if unmet := _unmet(found, facts, actor):
            raise TransitionRefusedError(unmet, f"{action!r}: {unmet} is not so")
        for need in found.needs:
            if not _is_given((given or {}).get(need)):
                raise TransitionRefusedError("missing", f"{action!r} needs a {need}", need)
        return found

    def after(self, facts: IncidentFacts, made: Transition) -> IncidentFacts:
        """The facts once a transition is made, as far as the flow decides them."""
        target = {"": facts.state, BACK: facts.before or "triaged"}.get(made.target, made.target)
        level = facts.level
        if made.action == "escalate":
            level = LEVELS[LEVELS.index(level) + 1]
        came_from = facts.state if target in {*PAUSED, "extension"} else facts.before
        return replace(facts, state=target, before=came_from, level=level)


def _is_given(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [], ())


def _unmet(made: Transition, facts: IncidentFacts, actor: str) -> str:
    return next((name for name in made.guards if not GUARDS[name](facts, actor)), "")


def _check(flow: Flow) -> None:
    seen: set[tuple[str, str, str]] = set()
    for one in flow.transitions:
        _check_words(flow, one)
        for source in one.sources:
            for actor in one.actors:
                if (key := (one.action, source, actor)) in seen:
                    raise FlowError(f"flow {flow.code}, {one.action}: twice from {source!r}")
                seen.add(key)
        if one.target == "closed" and not one.sources <= CHECKED:
            wrong = min(one.sources - CHECKED)
            raise FlowError(
                f"flow {flow.code}, {one.action}: closes from {wrong!r}, which is neither "
                "verified nor followed up"
            )
    _check_ways(flow)


def _check_words(flow: Flow, one: Transition) -> None:
    targets = {one.target} - {"", BACK}
    for kind, said, known in (
        ("state", one.sources | targets, frozenset(STATES)),
        ("actor", one.actors, ACTORS),
        ("need", frozenset(one.needs), NEEDS),
        ("guard", frozenset(one.guards), frozenset(GUARDS)),
    ):
        if wrong := sorted(said - known):
            raise FlowError(f"flow {flow.code}, {one.action}: unknown {kind} {wrong[0]!r}")
    if ended := sorted(one.sources & ENDED):
        raise FlowError(f"flow {flow.code}, {one.action}: leaves {ended[0]!r}, which is an end")


def _check_ways(flow: Flow) -> None:
    """Every state can be reached from the first, and leads to closed."""
    edges = {
        (source, one.target)
        for one in flow.transitions
        for source in one.sources
        if one.target not in {"", BACK}
    }
    # What a pause came from is where it goes back to.
    back = {
        (paused, source)
        for one in flow.transitions
        if one.target == BACK
        for paused in one.sources
        for source, target in edges
        if target == paused
    }
    reached = _closure("accepted", edges | back)
    leading = _closure("closed", {(b, a) for a, b in edges | back})
    used = {state for edge in edges | back for state in edge}
    if lost := sorted(used - reached):
        raise FlowError(f"flow {flow.code}: nothing leads to {lost[0]!r}")
    if stuck := sorted(used - leading - ENDED):
        raise FlowError(f"flow {flow.code}: {stuck[0]!r} never leads to an end")


def _closure(start: str, pairs: set[tuple[str, str]]) -> set[str]:
    known = {start}
    while fresh := {b for a, b in pairs if a in known} - known:
        known |= fresh
    return known
