"""``onegrid user`` and ``onegrid audit``: accounts, their grants, and who did what."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from sqlalchemy import select

from api.cli.context import (
    AsJson,
    County,
    console,
    county_or_default,
    emit,
    ready_database,
    told_time,
)
from data import accounts
from data.accounts import ROLES, Grant
from data.audit import entries
from data.audit_check import WholeVerdict, verify_all
from data.database import open_database
from data.models import Account
from data.second_factor import remove_factor
from data.serving_role import is_protected
from data.settings import Settings

__all__ = ["audit_app", "user_app"]

user_app = typer.Typer(no_args_is_help=True, help="Accounts, and what they may do where.")
audit_app = typer.Typer(no_args_is_help=True, help="Who saw and did what; the log's chain.")

Login = Annotated[str, typer.Argument(help="Name to sign in with.")]
Area = Annotated[
    str | None, typer.Option(help="12-digit code of a town or community; else the county.")
]
ClassCode = Annotated[
    str | None, typer.Option("--class", help="Incident class; else all. See onegrid classes.")
]
RoleName = Annotated[str, typer.Argument(help=", ".join(ROLES))]
# The command line is the operator's; the log says so.
_ACTOR = "command line"


@user_app.command()
def add(
    login: Login,
    *,
    role: Annotated[list[str], typer.Option(help=f"{', '.join(ROLES)}; may be given again.")],
    area: Area = None,
    class_code: ClassCode = None,
    name: Annotated[str | None, typer.Option(help="Shown to others; the login by default.")] = None,
    county: County = None,
) -> None:
    """Add an account; the password is asked for, or read from standard input."""
    settings = Settings()
    grants = tuple(Grant(one, area, class_code) for one in role)
    chosen = county_or_default(settings, county)
    database = ready_database(settings)
    with database.session() as session:
        accounts.require_new(session, chosen, login, grants)
    password = _asked_password()
    with database.session() as session:
        accounts.add_account(session, chosen, login, name or login, password, grants, actor=_ACTOR)
    console.entry(f"added: {login}")


@user_app.command("stands-for")
def stands_for(
    login: Login,
    person: Annotated[str, typer.Argument(help="Id in the staff list.")],
) -> None:
    """Say whom of the staff list an account is: a worker's tasks are that person's."""
    with ready_database(Settings()).session() as session:
        accounts.stand_for(session, login, person, actor=_ACTOR)
    console.entry(f"{login} is {person}")


@user_app.command()
def grant(login: Login, role: RoleName, *, area: Area = None, class_code: ClassCode = None) -> None:
    """Give an account a role, in an area, for a class of incidents."""
    with ready_database(Settings()).session() as session:
        given = Grant(role, area, class_code)
        accounts.grant_role(session, login, given, actor=_ACTOR)
    console.entry(f"{login} is {_told_grant(asdict(given))}")


@user_app.command()
def revoke(
    login: Login, role: RoleName, *, area: Area = None, class_code: ClassCode = None
) -> None:
    """Take a role away again."""
    with ready_database(Settings()).session() as session:
        taken = Grant(role, area, class_code)
        accounts.revoke_role(session, login, taken, actor=_ACTOR)
    console.entry(f"{login} is no longer {_told_grant(asdict(taken))}")


@user_app.command()
def disable(login: Login) -> None:
    """Close an account and its sessions; what it did stays in the log."""
    with ready_database(Settings()).session() as session:
        accounts.disable_account(session, login, actor=_ACTOR)
    console.entry(f"disabled: {login}")


@user_app.command()
def enable(login: Login) -> None:
    """Open an account that was disabled."""
    with ready_database(Settings()).session() as session:
        accounts.enable_account(session, login, actor=_ACTOR)
    console.entry(f"enabled: {login}")


@user_app.command()
def password(login: Login) -> None:
    """Set a new password; it is asked for, or read from standard input."""
    database = ready_database(Settings())
    with database.session() as session:
        accounts.account_of(session, login)
    new = _asked_password()
    with database.session() as session:
        accounts.change_password(session, login, new, actor=_ACTOR)
    console.entry(f"changed: {login}")


@user_app.command("reset-factor")
def reset_factor(login: Login) -> None:
    """Take the second factor away, of who has lost telephone and recovery codes.

    Their sessions end: whoever has the telephone may be signed in by it.
    """
    with ready_database(Settings()).session() as session:
        remove_factor(session, login, actor=_ACTOR)
        accounts.close_sessions(session, accounts.account_of(session, login))
    console.entry(f"signs in by password alone: {login}; open sessions have ended")


@user_app.command("list")
def list_accounts(*, county: County = None, as_json: AsJson = False) -> None:
    """List accounts and their grants."""
    settings = Settings()
    with ready_database(settings).session() as session:
        chosen = county_or_default(settings, county)
        held = session.scalars(
            select(Account).where(Account.county == chosen).order_by(Account.login)
        ).all()
        facts: list[dict[str, Any]] = [
            {
                "login": one.login,
                "name": one.name,
                "disabled": one.disabled_at,
                "second_factor": one.totp_confirmed_at is not None,
                "grants": [asdict(held) for held in accounts.grants_of(session, one.id)],
            }
            for one in held
        ]
    lines = [f"{one['login']:20} {_told(one)}" for one in facts]
    emit(facts, lines or ["no account"], as_json=as_json)


def _told(facts: dict[str, Any]) -> str:
    told = [_told_grant(one) for one in facts["grants"]]
    return ("disabled; " if facts["disabled"] else "") + (", ".join(told) or "no role")


def _told_grant(grant: dict[str, str | None]) -> str:
    area, class_code = grant["division"], grant["class_code"]
    return (
        f"{grant['role']} in {area or 'the whole county'}"
        f"{f' for {class_code}' if class_code else ''}"
    )


def _asked_password() -> str:
    """What is typed, unseen; or the first line of standard input, where it is no terminal."""
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True))
    return sys.stdin.readline().rstrip("\r\n")


@audit_app.command()
def show(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries."""
    settings = Settings()
    with ready_database(settings).session() as session:
        facts = [
            {
                "id": one.id,
                "at": one.at,
                "actor": one.actor,
                "action": one.action,
                "subject": one.subject,
                "detail": one.detail,
            }
            for one in entries(session, county_or_default(settings, county), limit=limit)
        ]
    lines = [_entry(one) for one in facts]
    emit(facts, lines or ["nothing is noted"], as_json=as_json)


def _entry(facts: dict[str, Any]) -> str:
    # A batch's hash is for `audit verify`.
    detail = {name: value for name, value in facts["detail"].items() if name != "hash"}
    said = [f"{name}={value}" for name, value in detail.items() if value is not None]
    who = f"{facts['id']} {told_time(facts['at'])} {facts['actor']}:"
    return " ".join(filter(None, (who, facts["action"], facts["subject"], *said)))


@audit_app.command("verify")
def verify_chain(
    *,
    head: Annotated[
        str | None, typer.Option(help="Hash kept from an earlier check: is it still there?")
    ] = None,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry was changed, taken out or cut off; exit code 1 where one was."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    database = ready_database(settings)
    protected = is_protected(open_database(settings, pooled=False).engine)
    with database.session() as session:
        found = verify_all(session, chosen, settings.home, is_protected=protected, head=head)
    facts = asdict(found.chain) | asdict(found)
    del facts["chain"]
    emit(facts, _findings(found, head), as_json=as_json)
    raise typer.Exit(0 if found.is_whole else 1)


def _findings(found: WholeVerdict, head: str | None) -> Iterator[str]:
    chain = found.chain
    yield f"{chain.entries} entries, head {chain.head}"
    if found.deleted:
        yield (
            f"{found.deleted} older entries, up to {found.deleted_through}, were deleted by "
            "retention: the chain is checked from there on"
        )
    yield f"{found.reads} reads in {found.batches} batches; {found.heads} kept heads compared"
    if chain.broken_at is not None:
        yield f"the chain is broken at entry {chain.broken_at}"
    if not chain.holds_head:
        yield f"the entry with hash {head} is gone: the log was cut off"
    if found.cut_after is not None:
        cut = found.cut_after
        yield f"entry {cut.id} of {cut.at}, whose hash was kept, is gone: the log was cut off"
    if found.broken_batch is not None:
        yield f"the reads of batch {found.broken_batch} are not those that were sealed"
    for gap in found.gaps:
        yield (
            f"a process was killed: reads in the {gap.most_s:.0f} s after {gap.since} are missing"
        )
    if not found.is_protected:
        yield (
            "the serving role of the database could change the log: set ONEGRID_OWNER_URL to the "
            "owner's address and ONEGRID_DATABASE_URL to another role's"
        )
