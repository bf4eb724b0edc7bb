"""The workbench: drafts that are open in this process, and the one way to change them.

A draft's state follows from its edits. It is kept in memory as one state after each edit, and
the edits are compared with the database before it is used: what another process did is played
in, what was rolled back is forgotten.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from data.audit import audit
from data.errors import StateError
from data.models import Edit, Generation, Person, Role, Zone
from data.people import people_seen
from data.scope import Scope
from gis.errors import OneGridError
from grids.drafting import journal
from grids.drafting.conflicts import keep_former
from grids.drafting.loading import load_plan
from grids.drafting.tables import forget_communities, write_state
from grids.generations import latest_generation, rules_of
from grids.redraw import (
    CommunityPlan,
    DraftState,
    EditRefusedError,
    apply,
    communities_of,
    operation_from_json,
    redrawn,
    resolve,
)
from grids.redraw import operations as op

__all__ = ["Acknowledged", "Workbench"]

# The operation of the engine's drawing that a draft may begin with (grids.plan).
DRAWN = "partition"
# Communities of the published plan, and drafts, that are kept in memory.
_COMMUNITIES, _DRAFTS = 400, 40
_REMEMBERED = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A change that the database holds once the transaction is committed.

    Attributes
    ----------
    version, head : int
        Of the draft after the change.
    before, after : DraftState
    touched : tuple of str
        Codes of the communities whose plan is another object.
    edit : Edit or None
        None for undo and redo.
    conflicts : tuple of Edit
        Of a replay: those that no longer apply, each with the reason.
    """

    draft: int
    version: int
    head: int
    before: DraftState
    after: DraftState
    touched: tuple[str, ...]
    edit: Edit | None = None
    conflicts: tuple[Edit, ...] = ()


@dataclass
class _Open:
    """A draft in memory: the edits played so far, and the state after each of them."""

    base_id: int | None
    lock: threading.RLock = field(default_factory=threading.RLock)
    edits: list[tuple[int, str]] = field(default_factory=list)
    states: list[DraftState] = field(default_factory=lambda: [DraftState()])


class Workbench:
    """The drafts of a county; safe for many threads and many processes."""

    def __init__(self, county: str) -> None:
        self._county = county
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._base: OrderedDict[tuple[int | None, str, str], CommunityPlan] = OrderedDict()
        self._held: OrderedDict[Hashable, Any] = OrderedDict()

    def create(
        self,
        session: Session,
        scope: Scope,
        *,
        author: str,
        title: str,
        area: str | None = None,
        profile: str = "tongliao",
    ) -> Generation:
        """Begin an empty draft over the latest plan, about an area inside the scope.

        Raises
        ------
        StateError
            If the area is outside, or there is no plan yet.
        NotFoundError
            If there is no such profile.
        """
        chosen = area or (self._county if scope.is_whole else scope.prefixes[0].ljust(12, "0"))
        if not scope.covers(chosen):
            raise StateError(f"{chosen} is not in your area")
        rules_of(session, profile)
        base = latest_generation(session, self._county)
        if base is None:
            raise StateError("there is no published plan yet: draw and publish one first")
        draft = Generation(
            county=self._county,
            author=author,
            title=title.strip()[:200],
            area=chosen,
            profile=profile,
            base_id=base.id,
        )
        session.add(draft)
        session.flush()
        audit(session, self._county, author, "draft.create", str(draft.id), area=chosen)
        return draft

    def state(self, session: Session, draft: Generation) -> DraftState:
        """The draft's state as the database has its edits now."""
        return self._up_to_date(session, draft)[1]

    def community(self, session: Session, draft: Generation, code: str) -> CommunityPlan:
        """A community's plan in a draft: as edited, else as published."""
        state = self.state(session, draft)
        held = state.plans.get(code)
        return held or self._start(session, draft, state, code)

    def base(self, session: Session, draft: Generation, code: str) -> CommunityPlan:
        """A community's plan in the generation that the draft starts from."""
        key = (draft.base_id, draft.profile, code)
        with self._lock:
            if key in self._base:
                self._base.move_to_end(key)
                return self._base[key]
        made = load_plan(session, self._county, code, rules_of(session, draft.profile))
        with self._lock:
            self._base[key] = made
            while len(self._base) > _COMMUNITIES:
                self._base.popitem(last=False)
        return made

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """Something that follows from a generation, made once."""
        with self._lock:
            if key in self._held:
                found: T = self._held[key]
                return found
        made = make()
        with self._lock:
            self._held[key] = made
            while len(self._held) > _REMEMBERED:
                self._held.popitem(last=False)
        return made

    def edit(
        self,
        session: Session,
        scope: Scope,
        number: int,
        version: int,
        asked: dict[str, Any],
        *,
        author: str,
    ) -> Acknowledged:
        """Do one operation in a draft; it is durable when the transaction is committed.

        Raises
        ------
        EditRefusedError, GeometryError
            If it would break a rule, or its arguments do not fit; nothing has changed.
        NotFoundError, StateError, StaleError
            If there is no such draft in the scope, it is closed, or somebody else edited it.
        """
        operation = operation_from_json(asked)
        draft = self._locked(session, scope, number, version)
        self._require_area(scope, draft, operation)
        self._require_known(session, scope, operation)
        opened, before = self._up_to_date(session, draft)
        start = self._with_base(session, draft, before, operation)
        done = resolve(start, operation)
        after = apply(start, done, draft.head + 1)
        edit = journal.append(session, draft, done, author)
        session.flush()
        self._remember(opened, draft.head - 1, edit, after)
        return self._written(session, draft, start, after, author, "edit", edit)

    def undo(
        self, session: Session, scope: Scope, number: int, version: int, *, author: str
    ) -> Acknowledged:
        """Take the last edit back."""
        return self._moved(session, scope, number, version, lambda head: head - 1, author, "undo")

    def redo(
        self, session: Session, scope: Scope, number: int, version: int, *, author: str
    ) -> Acknowledged:
        """Put the edit that was taken back last in force again."""
        return self._moved(session, scope, number, version, lambda head: head + 1, author, "redo")

    def go_to(
        self,
        session: Session,
        scope: Scope,
        number: int,
        version: int,
        position: int,
        *,
        author: str,
    ) -> Acknowledged:
        """Undo or redo up to a position, such as a checkpoint's."""
        return self._moved(session, scope, number, version, lambda _: position, author, "go_to")

    def rebase(
        self, session: Session, scope: Scope, number: int, version: int, *, author: str
    ) -> Acknowledged:
        """Replay a draft on the latest plan; edits that no longer apply are kept and passed over.

        Raises
        ------
        StateError
            If the draft begins with a drawing, or is closed.
        """
        draft = self._locked(session, scope, number, version, moved=True)
        edits = journal.edits_in_force(session, draft)
        if edits and edits[0].operation == DRAWN:
            raise StateError(f"draft {draft.id} begins with a drawing: draw it again")
        latest = latest_generation(session, self._county)
        draft.base_id = None if latest is None else latest.id
        for edit in edits:
            edit.conflict = edit.conflict_rule = ""
        session.flush()
        self.forget(draft.id)
        _, after = self._up_to_date(session, draft)
        keep_former(session, draft, [edit for edit in edits if edit.conflict])
        forget_communities(session, draft)
        journal.touch(session, draft)
        done = self._written(session, draft, DraftState(), after, author, "rebase", None)
        return replace(done, conflicts=tuple(edit for edit in edits if edit.conflict))

    def forget(self, number: int) -> None:
        """Drop a draft from memory; the next question plays its edits again."""
        with self._lock:
            self._open.pop(number, None)

    def _locked(
        self, session: Session, scope: Scope, number: int, version: int, *, moved: bool = False
    ) -> Generation:
        draft = journal.draft_in(session, scope, number, lock=True)
        journal.require_open(draft, version)
        latest = latest_generation(session, self._county)
        if not moved and latest is not None and draft.base_id != latest.id:
            raise StateError(
                f"draft {draft.id} was drawn on an earlier plan: replay it on the present one"
            )
        return draft

    def _require_area(self, scope: Scope, draft: Generation, operation: Any) -> None:
        own = Scope.of(self._county, [draft.area])
        for code in communities_of(operation):
            if not scope.covers(code) or not own.covers(code):
                raise EditRefusedError("area", f"community {code} is not in the draft's area")
        if isinstance(operation, op.AdjustBoundary) and not scope.is_whole:
            raise EditRefusedError("area", "a community's boundary is moved by the county only")

    def _require_known(self, session: Session, scope: Scope, operation: Any) -> None:
        """Zones and people are named by number, roles by code: they must be there, and theirs."""
        for table, number in (
            (Zone, getattr(operation, "zone_id", None)),
            (Person, getattr(operation, "person_id", None)),
        ):
            held = None if number is None else session.get(table, number)
            if number is not None and (held is None or held.county != self._county):
                raise EditRefusedError("unknown", f"no {table.__tablename__} {number}")
        person = getattr(operation, "person_id", None)
        if person is not None and not people_seen(session, scope, [person]):
            raise EditRefusedError("unknown", f"no person {person} in your area")
        role = getattr(operation, "role", None)
        if role is not None and session.get(Role, role) is None:
            raise EditRefusedError("unknown", f"no role {role!r}; see onegrid staff roles")

    def _moved(
        self,
        session: Session,
        scope: Scope,
        number: int,
        version: int,
        to: Callable[[int], int],
        author: str,
        action: str,
    ) -> Acknowledged:
        draft = self._locked(session, scope, number, version)
        _, before = self._up_to_date(session, draft)
        if before.drawn and to(draft.head) < 1:
            raise StateError("the draft begins with a drawing: discard it instead")
        journal.move_head(session, draft, to(draft.head))
        _, after = self._up_to_date(session, draft)
        # The tables hold every community that was drawn, whether edits touch it or not.
        untouched = [one for one in before.plans if one not in after.plans and one in after.drawn]
        after = after.with_plan(*(self._start(session, draft, after, one) for one in untouched))
        return self._written(session, draft, before, after, author, action, None)

    def _written(
        self,
        session: Session,
        draft: Generation,
        before: DraftState,
        after: DraftState,
        author: str,
        action: str,
        edit: Edit | None,
    ) -> Acknowledged:
        touched = write_state(session, draft, before, after)
        detail = {"head": draft.head, "operation": edit.operation if edit else action}
        audit(session, self._county, author, f"draft.{action}", str(draft.id), **detail)
        return Acknowledged(
            draft.id, draft.version, draft.head, before, after, tuple(touched), edit
        )

    def _with_base(
        self, session: Session, draft: Generation, state: DraftState, operation: Any
    ) -> DraftState:
        missing = [one for one in communities_of(operation) if one not in state.plans]
        return state.with_plan(*(self._start(session, draft, state, code) for code in missing))

    def _start(
        self, session: Session, draft: Generation, state: DraftState, code: str
    ) -> CommunityPlan:
        """A community's plan before any edit of it: as drawn, else as published."""
        base = self.base(session, draft, code)
        return redrawn(base, state.drawn[code], 1) if code in state.drawn else base

    def _opened(self, draft: Generation) -> _Open:
        with self._lock:
            held = self._open.get(draft.id)
            if held is None or held.base_id != draft.base_id:
                held = self._open[draft.id] = _Open(draft.base_id)
            self._open.move_to_end(draft.id)
            while len(self._open) > _DRAFTS:
                self._open.popitem(last=False)
        return held

    def _up_to_date(self, session: Session, draft: Generation) -> tuple[_Open, DraftState]:
        opened = self._opened(draft)
        with opened.lock:
            return opened, self._replayed(session, draft, opened)

    def _replayed(self, session: Session, draft: Generation, opened: _Open) -> DraftState:
        """Play the edits that memory does not hold; those that fail are marked."""
        edits = journal.edits_in_force(session, draft)
        known = [(edit.id, edit.conflict) for edit in edits]
        same = 0
        while same < min(len(known), len(opened.edits)) and known[same] == opened.edits[same]:
            same += 1
        if same == len(known):
            return opened.states[same]
        del opened.edits[same:], opened.states[same + 1 :]
        for edit in edits[same:]:
            state = opened.states[-1]
            if not edit.conflict:
                state = self._played(session, draft, state, edit)
            opened.edits.append((edit.id, edit.conflict))
            opened.states.append(state)
        return opened.states[-1]

    def _played(
        self, session: Session, draft: Generation, state: DraftState, edit: Edit
    ) -> DraftState:
        if edit.operation == DRAWN:
            return DraftState(drawn=edit.arguments["parts"])
        try:
            operation = operation_from_json({"operation": edit.operation, **edit.arguments})
            start = self._with_base(session, draft, state, operation)
            return apply(start, operation, edit.position)
        except OneGridError as error:
            edit.conflict, edit.conflict_rule = str(error), getattr(error, "rule", "unknown")
            session.flush()
            return state

    def _remember(self, opened: _Open, head: int, edit: Edit, after: DraftState) -> None:
        with opened.lock:
            del opened.edits[head:], opened.states[head + 1 :]
            opened.edits.append((edit.id, edit.conflict))
            opened.states.append(after)
