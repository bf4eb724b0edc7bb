"""Flows: the presets, what a flow may not be, and that no order of steps breaks a rule."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import data.presets
from routing.lifecycle import Flow, IncidentFacts
from routing.lifecycle.errors import FlowError, TransitionRefusedError
from routing.lifecycle.flow import ACTORS, ENDED, LEVELS

ROWS = json.loads((Path(data.presets.__file__).parent / "flows.json").read_text(encoding="utf-8"))
PRESETS = [Flow.from_rows(row["code"], row["name"], row["transitions"]) for row in ROWS]
GIVEN = {
    "reason": "x",
    "holder": 1,
    "result": "done",
    "satisfaction": "satisfied",
    "amount": 3,
    "units": ["a"],
    "unit": "a",
}


def test_the_presets_can_be_used_and_name_every_state_once() -> None:
    assert {flow.code for flow in PRESETS} == {"tongliao", "shigu", "urban"}
    for flow, row in zip(PRESETS, ROWS, strict=True):
        named = [state for states in row["stages"].values() for state in states]
        assert sorted(named) == sorted(flow.states)


@pytest.mark.parametrize("flow", PRESETS, ids=lambda flow: flow.code)
def test_a_case_goes_straight_to_its_end(flow: Flow) -> None:
    facts = IncidentFacts("accepted")
    for action in ("triage", "dispatch", "take", "report", "verify", "follow_up", "close"):
        if action not in {one.action for one in flow.transitions}:
            continue
        role = "worker" if action in {"take", "report"} else "dispatcher"
        found = flow.find(facts, action, role, actor="7", given=GIVEN)
        facts = flow.after(facts, found)
    assert facts.state == "closed"


def row(action: str, source: str, to: str, **more: object) -> dict:
    return {"action": action, "from": source.split(), "to": to, "by": ["dispatcher"], **more}


def sound() -> list[dict]:
    return [
        row("triage", "accepted", "triaged"),
        row("verify", "triaged", "verified"),
        row("close", "verified", "closed"),
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([*sound(), row("end", "triaged", "closed")], "neither verified nor followed up"),
        ([*sound(), row("loop", "triaged", "handled")], "'handled' never leads to an end"),
        ([*sound(), row("go", "rework", "verified")], "nothing leads to 'rework'"),
        ([*sound(), row("go", "nowhere", "void")], "unknown state 'nowhere'"),
        ([*sound(), row("go", "triaged", "void", needs=["gold"])], "unknown need 'gold'"),
        ([*sound(), row("go", "triaged", "void", guards=["luck"])], "unknown guard 'luck'"),
        ([*sound(), row("go", "triaged", "void") | {"by": ["king"]}], "unknown actor 'king'"),
        ([*sound(), row("reopen", "closed", "triaged")], "leaves 'closed'"),
        ([*sound(), row("triage", "accepted", "void")], "twice from 'accepted'"),
    ],
)
def test_a_flow_that_breaks_a_rule_is_refused(rows: list[dict], says: str) -> None:
    assert Flow.from_rows("x", "x", sound())
    with pytest.raises(FlowError, match=says):
        Flow.from_rows("x", "x", rows)


def refused(flow: Flow, facts: IncidentFacts, action: str, role: str, **more: object) -> str:
    with pytest.raises(TransitionRefusedError) as told:
        flow.find(facts, action, role, **more)
    return told.value.rule


@pytest.mark.parametrize("flow", PRESETS, ids=lambda flow: flow.code)
def test_refusals_tell_the_rule(flow: Flow) -> None:
    handled = IncidentFacts("handled", handler="7")
    triaged = IncidentFacts("triaged", on_duty_list=False, to_gridworker=True)
    check = "follow_up" if flow.code == "tongliao" else "verify"
    own = replace(handled, state="reported")
    assert refused(flow, handled, "close", "dispatcher", given=GIVEN) == "state"
    assert refused(flow, handled, "suspend", "worker", given=GIVEN) == "actor"
    assert refused(flow, handled, "return", "worker", given={"reason": "  "}) == "missing"
    assert refused(flow, triaged, "dispatch", "dispatcher", given=GIVEN) == "on_duty_list"
    whistled = replace(handled, whistles=1)
    assert refused(flow, whistled, "report", "worker", given=GIVEN) == "whistles_answered"
    assert refused(flow, own, check, "dispatcher", actor="7", given=GIVEN) == "not_own_work"
    county = replace(handled, level="county")
    assert refused(flow, county, "escalate", "centre", given=GIVEN) == "below_county"


def test_an_extension_and_a_pause_go_back_to_where_they_came_from() -> None:
    flow = PRESETS[0]
    for state, there, back, who in (
        ("handled", "request_extension", "grant_extension", ("worker", "dispatcher")),
        ("rework", "request_extension", "refuse_extension", ("worker", "centre")),
        ("triaged", "suspend", "resume", ("centre", "centre")),
    ):
        facts = IncidentFacts(state)
        facts = flow.after(facts, flow.find(facts, there, who[0], given=GIVEN))
        facts = flow.after(facts, flow.find(facts, back, who[1], given=GIVEN))
        assert facts.state == state


class AnyOrder(RuleBasedStateMachine):
    """Anybody tries anything in any order; what is kept must have been allowed."""

    @initialize(flow=st.sampled_from(PRESETS))
    def begin(self, flow: Flow) -> None:
        self.flow, self.facts = flow, IncidentFacts("accepted")
        self.course: list[tuple[str, str, str]] = []

    @rule(
        action=st.sampled_from(sorted({t.action for f in PRESETS for t in f.transitions})),
        role=st.sampled_from(sorted(ACTORS)),
        actor=st.sampled_from(["7", "8"]),
        given=st.sets(st.sampled_from(sorted(GIVEN))),
        listed=st.booleans(),
    )
    def attempt(self, action: str, role: str, actor: str, given: set[str], listed: bool) -> None:
        before = replace(self.facts, on_duty_list=listed, to_gridworker=True)
        offered = {name: GIVEN[name] for name in given}
        allowed = [
            one
            for one in self.flow.transitions
            if one.action == action and before.state in one.sources and role in one.actors
        ]
        try:
            made = self.flow.find(before, action, role, actor=actor, given=offered)
        except TransitionRefusedError as error:
            self.refused = (error.rule, bool(allowed))
            return
        assert made in allowed
        assert set(made.needs) <= given
        assert made in self.flow.options(before, role, actor)
        after = self.flow.after(before, made)
        whistles = before.whistles + {"whistle": 1, "answer": -1}.get(action, 0)
        handler = actor if action in {"take", "report"} else before.handler
        self.course.append((before.state, action, after.state))
        self.facts = replace(after, whistles=whistles, handler=handler)

    @invariant()
    def who_may_is_told_what_else_is_wrong(self) -> None:
        rule, allowed = getattr(self, "refused", ("state", False))
        assert (rule in {"state", "actor"}) == (not allowed)

    @invariant()
    def no_rule_is_broken(self) -> None:
        if not getattr(self, "course", None):
            return
        before, action, now = self.course[-1]
        assert before not in ENDED
        assert self.facts.whistles >= 0
        assert self.facts.level in LEVELS
        if now == "closed":
            assert before in {"verified", "followed_up"}
        if now == "reported":
            assert self.facts.whistles == 0
        if action == "dispatch":
            assert self.facts.on_duty_list


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestAnyOrder = AnyOrder.TestCase
