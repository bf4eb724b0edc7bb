"""``onegrid retention show``, ``run`` and ``apply``."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from api.cli.context import AsJson, emit, ready_database, told_time
from data.errors import NotFoundError, StateError
from data.retention.logs import may_set_periods, set_periods
from data.retention.rules import (
    AUDIT_LOG,
    AUDIT_READS,
    KEPT,
    RULES,
    STANDING,
    Rule,
    kept_elsewhere,
    rule_named,
)
from data.retention.runs import Outcome, run_rule
from data.retention.schedule import RuleState, states
from data.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="How long records are kept, and what was deleted.")


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Show each rule: how long, why, and what its last run deleted; then what no rule deletes.

    Nothing is set by it: the audit logs' periods are the database's, and shown beside the settings.
    """
    settings = Settings()
    with ready_database(settings).session() as session:
        found = states(session, settings)
        elsewhere = kept_elsewhere({one.rule.name: one.held_days for one in found})
        facts = {
            "rules": [_facts(one) for one in found],
            "standing": [asdict(one) for one in STANDING],
            "kept": KEPT,
            "kept_elsewhere": elsewhere,
        }
        lines = [line for one in found for line in _lines(one)]
    lines += ["", f"! {elsewhere}"] if elsewhere else []
    lines += ["", "deleted by other work:"]
    lines += [f"  {one.what}: {one.kept_for} ({one.work})" for one in STANDING]
    lines += ["", "not deleted by age:"]
    lines += [f"  {', '.join(tables)}: {why}" for why, tables in KEPT.items()]
    emit(facts, lines, as_json=as_json)


def _facts(one: RuleState) -> dict[str, Any]:
    last = one.last
    ran = None
    if last is not None:
        columns = ("since", "until", "begun_at", "ended_at", "outcome", "rows", "files", "bytes")
        ran = {name: getattr(last, name) for name in (*columns, "passed", "reason")}
    facts = {
        "days": one.days,
        "held_days": one.held_days,
        "default_days": one.rule.days,
        "done_at": one.done_at,
        "last": ran,
    }
    return {name: said for name, said in asdict(one.rule).items() if name != "days"} | facts


def _lines(one: RuleState) -> Iterator[str]:
    rule, last = one.rule, one.last
    yield f"{rule.name}: {one.days} days (at least {rule.least_days})"
    if one.held_days != one.days:
        yield (
            f"  ! the database keeps it for {one.held_days} days, and that counts; {one.days} is "
            "what the settings of this shell say: onegrid retention apply sets it"
        )
    yield f"  {rule.what} · {rule.what_zh}"
    yield f"  {rule.why} · {rule.why_zh}"
    if last is None:
        yield "  has not run yet"
        return
    said = f"  {told_time(last.begun_at)} {last.outcome}: {last.rows} rows, {last.files} files"
    yield f"{said} from before {told_time(last.until)}{_beside(last.passed, last.reason)}"


def _beside(passed: int, reason: str) -> str:
    left = f"; {passed} could not be deleted" if passed else ""
    return f"{left}{f'; {reason}' if reason else ''}"


@app.command()
def run(
    rule: Annotated[str, typer.Argument(help="One rule; all by default.")] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be deleted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete now what is older than its rule says; exit code 1 where a rule fails."""
    rules = RULES if not rule else (_named(rule),)
    settings = Settings()
    database = ready_database(settings)
    found = [run_rule(database, settings, one, dry_run=dry_run) for one in rules]
    emit([asdict(one) for one in found], [_told(one) for one in found], as_json=as_json)
    raise typer.Exit(1 if any(one.outcome == "failed" for one in found) else 0)


@app.command()
def apply(*, as_json: AsJson = False) -> None:
    """Tell the database how long the audit logs are kept, by the settings of this shell.

    The server does it when it starts, where it knows the database's owner.
    """
    settings = Settings()
    days = settings.retention_days
    with ready_database(settings).session() as session:
        if not may_set_periods(session):
            raise StateError(
                "only the database's owner sets how long the audit logs are kept: name its address "
                "in ONEGRID_OWNER_URL"
            )
        changed = set_periods(session, settings.county, days)
    elsewhere = kept_elsewhere(days)
    said = {True: "set", False: "as it was"}
    logs = (AUDIT_LOG, AUDIT_READS)
    lines = [f"{log}: {days[log]} days, {said[log in changed]}" for log in logs]
    facts = {"days": {log: days[log] for log in logs}, "changed": changed}
    lines += [f"! {elsewhere}"] if elsewhere else []
    emit(facts | {"kept_elsewhere": elsewhere}, lines, as_json=as_json)


def _named(name: str) -> Rule:
    try:
        return rule_named(name)
    except ValueError as error:
        raise NotFoundError(str(error)) from None


def _told(one: Outcome) -> str:
    said = f"{one.rule}: {one.outcome}, {one.rows} rows, {one.files} files"
    return f"{said} from before {told_time(one.until)}{_beside(one.passed, one.reason)}"
