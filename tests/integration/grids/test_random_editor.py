"""A random editor on Chiayi: valid and invalid operations over many drafts, in a real PostGIS.

``ONEGRID_EDITOR=10000`` runs ten thousand operations over twenty drafts and more.
"""

import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import text

from data import importing
from data.cluster import Cluster
from data.database import Database
from data.errors import StateError
from data.models import Generation
from data.scope import Scope
from gis.errors import GeometryError
from grids.drafting import Acknowledged, Workbench
from grids.plan import check_draft, draw_draft
from grids.publishing import publish
from grids.redraw import CommunityPlan, EditRefusedError, operation_to_json
from tests.conftest import create_database
from tests.redraw import assert_state_holds, random_operation, same

COUNTY = "990301"
WHOLE = Scope.whole(COUNTY)
OPERATIONS = int(os.environ.get("ONEGRID_EDITOR", "150"))
STEPS = max(50, min(OPERATIONS // 3, 500))
DRAFTS = 20
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def chiayi(cluster: Cluster, template: str, shared: Path) -> Iterator[Database]:
    database = create_database(cluster, "editor_chiayi", template)
    with database.session() as session:
        path = shared / "households" / "chiayi_city_units.gpkg"
        importing.import_households(session, path, county=COUNTY)
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=1))
    yield database
    database.engine.dispose()


class Editor(RuleBasedStateMachine):
    """Drafts that are edited in turn, each with the states that it has gone through."""

    database: Database
    done = refused = drafts_begun = 0

    @initialize()
    def begin(self) -> None:
        self.bench = Workbench(COUNTY)
        self.drafts: list[int] = []
        self.versions: dict[int, int] = {}
        # For each draft the communities' plans after each edit, as they were when it was made.
        self.history: dict[int, list[dict[str, CommunityPlan]]] = {}
        self.heads: dict[int, int] = {}
        self.touched: set[str] = set()
        with self.database.session() as session:
            codes = session.scalars(
                text("SELECT DISTINCT community FROM grid WHERE upper_inf(valid) ORDER BY 1")
            ).all()
        self.codes = list(codes)

    @rule(dice=st.randoms(use_true_random=False))
    def operate(self, dice: random.Random) -> None:
        if len(self.drafts) < DRAFTS and (not self.drafts or dice.random() < 0.2):
            self._begin_draft()
        draft = dice.choice(self.drafts)
        plans = self._some_plans(draft, dice)
        asked = operation_to_json(random_operation(dice, plans))
        try:
            with self.database.session() as session:
                said = self.bench.edit(
                    session, WHOLE, draft, self.versions[draft], asked, author="ada"
                )
        except (EditRefusedError, GeometryError):
            Editor.refused += 1
            return
        Editor.done += 1
        del self.history[draft][self.heads[draft] + 1 :]
        self.history[draft].append({**self.history[draft][-1], **said.after.plans})
        self._moved(draft, said)

    @rule(dice=st.randoms(use_true_random=False), back=st.booleans())
    def undo_or_redo(self, dice: random.Random, *, back: bool) -> None:
        if not self.drafts:
            return
        draft = dice.choice(self.drafts)
        move = self.bench.undo if back else self.bench.redo
        try:
            with self.database.session() as session:
                said = move(session, WHOLE, draft, self.versions[draft], author="ada")
        except StateError:
            return
        Editor.done += 1
        self._moved(draft, said)
        then = self.history[draft][said.head]
        for code, plan in said.after.plans.items():
            assert same(plan, then[code]), "undo restores exactly"

    @rule(dice=st.randoms(use_true_random=False))
    def replay(self, dice: random.Random) -> None:
        """Another process plays the same edits to the same state."""
        if not self.drafts:
            return
        draft = dice.choice(self.drafts)
        with self.database.session() as session:
            held = session.get(Generation, draft)
            mine = self.bench.state(session, held)
            other = Workbench(COUNTY).state(session, held)
            assert set(mine.plans) == set(other.plans)
            assert all(same(mine.plans[code], other.plans[code]) for code in mine.plans)
            assert mine.posts == other.posts

    @invariant()
    def the_last_change_holds_every_rule(self) -> None:
        for plan, households in getattr(self, "changed", ()):
            assert_state_holds({plan.code: plan}, households)
        self.changed: list[tuple[CommunityPlan, int]] = []

    def teardown(self) -> None:
        for draft in getattr(self, "drafts", ())[:3]:
            with self.database.session() as session:
                assert check_draft(session, COUNTY, draft) == []

    def _begin_draft(self) -> None:
        with self.database.session() as session:
            number = self.bench.create(session, WHOLE, author="ada", title="").id
        Editor.drafts_begun += 1
        self.drafts.append(number)
        self.versions[number] = self.heads[number] = 0
        self.history[number] = [{}]

    def _some_plans(self, draft: int, dice: random.Random) -> dict[str, CommunityPlan]:
        codes = dice.sample(self.codes[:8], 2)
        with self.database.session() as session:
            held = session.get(Generation, draft)
            plans = {code: self.bench.community(session, held, code) for code in codes}
        for code in codes:
            self.history[draft][0].setdefault(code, plans[code])
        return plans

    def _moved(self, draft: int, said: Acknowledged) -> None:
        self.versions[draft], self.heads[draft] = said.version, said.head
        before = sum(int(p.blocks.households.sum()) for p in said.before.plans.values())
        after = sum(int(p.blocks.households.sum()) for p in said.after.plans.values())
        if set(said.before.plans) == set(said.after.plans):
            assert before == after, "households are conserved"
        self.changed = [
            (said.after.plans[code], int(said.after.plans[code].blocks.households.sum()))
            for code in said.touched
            if code in said.after.plans
        ]


def test_whatever_a_random_editor_does_every_draft_holds(chiayi: Database) -> None:
    class OnChiayi(Editor):
        database = chiayi

    Editor.done = Editor.refused = Editor.drafts_begun = 0
    number = 0
    # Examples are of any length, the first of them empty: seed after seed until it is enough.
    while Editor.done + Editor.refused < OPERATIONS:
        number += 1
        run_machine(
            seed(number)(OnChiayi),
            settings=settings(
                max_examples=6,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=False,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    tried, begun = Editor.done + Editor.refused, Editor.drafts_begun
    told = "%s operations tried over %s drafts, %s done"
    logging.getLogger("tests").warning(told, tried, begun, Editor.done)
    assert Editor.done > tried / 8
    assert begun >= min(DRAFTS, OPERATIONS // 20)
