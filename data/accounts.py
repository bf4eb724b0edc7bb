"""Accounts and their grants: who may do what, in which area, for which class of incidents.

System, security and audit administration are separate roles (等保 2.0, 三权分立): an account
holds at most one of them.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from data.audit import audit
from data.errors import NotFoundError, StateError
from data.models import Account, Division, IncidentClass, LoginSession, RoleGrant
from data.passwords import hash_of, is_exempt, require_password
from data.people import person_of

__all__ = [
    "ROLES",
    "Grant",
    "account_of",
    "add_account",
    "change_password",
    "disable_account",
    "enable_account",
    "grant_role",
    "grants_of",
    "is_login",
    "require_new",
    "revoke_role",
    "set_password_hash",
    "stand_for",
]

ROLES = (
    "planner",
    "reviewer",
    "dispatcher",
    "worker",
    "centre",
    "auditor",
    "security",
    "administrator",
)
_LONGEST_LOGIN = 60
_SEPARATE = frozenset({"auditor", "security", "administrator"})


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in an area (12-digit code, None for the whole county) for a class (None for all)."""

    role: str
    division: str | None = None
    class_code: str | None = None


def add_account(
    session: Session,
    county: str,
    login: str,
    name: str,
    password: str,
    grants: tuple[Grant | str, ...] = (),
    *,
    actor: str = "system",
) -> Account:
    """Add an account with its grants; a role's name alone holds in the whole county.

    Raises
    ------
    StateError, NotFoundError
        If the login is taken, the password too simple, or a grant cannot be given.
    """
    given = tuple(one if isinstance(one, Grant) else Grant(one) for one in grants)
    require_new(session, county, login, given)
    if not is_exempt(county, login, password):
        require_password(login, name, password)
    account = Account(county=county, login=login, name=name, password_hash=hash_of(password))
    session.add(account)
    session.flush()
    audit(session, county, actor, "account.add", login)
    for one in given:
        grant_role(session, login, one, actor=actor)
    return account


def require_new(session: Session, county: str, login: str, grants: tuple[Grant, ...]) -> None:
    """Check all that an account is to be, but its password.

    Raises
    ------
    StateError, NotFoundError
        As `add_account`.
    """
    if session.scalar(select(Account).where(Account.login == login)):
        raise StateError(f"login {login!r} is taken")
    if not is_login(login):
        raise StateError("a login has 1 to 60 printed characters and no space at its ends")
    for one in grants:
        _require_grantable(session, county, one)


def is_login(text: str) -> bool:
    """Whether it may be the login of an account."""
    return 0 < len(text) <= _LONGEST_LOGIN and text.isprintable() and text == text.strip()


def account_of(session: Session, login: str) -> Account:
    """The account of a login.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = session.scalar(select(Account).where(Account.login == login))
    if found is None:
        raise NotFoundError(f"no account {login!r}")
    return found


def grants_of(session: Session, account_id: int) -> tuple[Grant, ...]:
    """What an account may do."""
    rows = session.execute(
        select(RoleGrant.role, RoleGrant.division, RoleGrant.class_code)
        .where(RoleGrant.account_id == account_id)
        .order_by(RoleGrant.id)
    )
    return tuple(Grant(*row) for row in rows)


def stand_for(session: Session, login: str, source_ref: str, *, actor: str = "system") -> None:
    """Say whom of the staff list an account stands for.

    Raises
    ------
    NotFoundError
        If the account or the person is unknown.
    """
    account = account_of(session, login)
    account.person_id = person_of(session, account.county, source_ref)
    audit(session, account.county, actor, "account.stands_for", login, person=source_ref)


def grant_role(session: Session, login: str, grant: Grant, *, actor: str = "system") -> None:
    """Give an account a role; what it holds already stays.

    Raises
    ------
    NotFoundError
        If the account, the division or the class is unknown.
    StateError
        If the role is unknown, the division lies in another county, or the account would
        hold two of the roles that are to be separate.
    """
    account = account_of(session, login)
    held = grants_of(session, account.id)
    _require_grantable(session, account.county, grant)
    other = ({one.role for one in held} & _SEPARATE) - {grant.role}
    if other and grant.role in _SEPARATE:
        raise StateError(f"{login} is {min(other)}: system, security and audit are kept separate")
    if grant in held:
        return
    session.add(
        RoleGrant(
            county=account.county,
            account_id=account.id,
            role=grant.role,
            division=grant.division,
            class_code=grant.class_code,
        )
    )
    session.flush()
    audit(session, account.county, actor, "account.grant", login, **_plain(grant))


def revoke_role(session: Session, login: str, grant: Grant, *, actor: str = "system") -> None:
    """Take a role away again.

    Raises
    ------
    NotFoundError
        If the account does not hold it, in that area and class.
    """
    account = account_of(session, login)
    if grant not in grants_of(session, account.id):
        raise NotFoundError(f"{login} does not hold {grant.role} there")
    session.execute(
        delete(RoleGrant).where(
            RoleGrant.account_id == account.id,
            RoleGrant.role == grant.role,
            RoleGrant.division.is_not_distinct_from(grant.division),
            RoleGrant.class_code.is_not_distinct_from(grant.class_code),
        )
    )
    audit(session, account.county, actor, "account.revoke", login, **_plain(grant))


def disable_account(session: Session, login: str, *, actor: str = "system") -> None:
    """Close an account and its sessions at once; its history stays."""
    account = account_of(session, login)
    account.disabled_at = datetime.now(UTC)
    account.device_stamp = secrets.token_urlsafe(12)
    close_sessions(session, account)
    audit(session, account.county, actor, "account.disable", login)


def enable_account(session: Session, login: str, *, actor: str = "system") -> None:
    """Open a disabled account again."""
    account = account_of(session, login)
    account.disabled_at = None
    audit(session, account.county, actor, "account.enable", login)


def change_password(session: Session, login: str, password: str, *, actor: str = "system") -> None:
    """Set a new password; open sessions end, and known devices are forgotten.

    Raises
    ------
    NotFoundError, StateError
        If there is no such account, or the password is one that may not be.
    """
    account = account_of(session, login)
    require_password(login, account.name, password)
    set_password_hash(session, login, hash_of(password), actor=actor)


def set_password_hash(
    session: Session, login: str, password_hash: str, *, actor: str = "system"
) -> None:
    """Set the hash of a new password that was checked and hashed outside the transaction."""
    account = account_of(session, login)
    account.password_hash = password_hash
    account.device_stamp = secrets.token_urlsafe(12)
    close_sessions(session, account)
    audit(session, account.county, actor, "account.password", login)


def close_sessions(session: Session, account: Account) -> None:
    """End all sessions of an account."""
    session.execute(delete(LoginSession).where(LoginSession.account_id == account.id))


def _require_grantable(session: Session, county: str, grant: Grant) -> None:
    if grant.role not in ROLES:
        raise StateError(f"unknown role {grant.role!r}; there are: {', '.join(ROLES)}")
    if grant.division is not None:
        _require_division(session, county, grant.division)
    if grant.class_code is not None and session.get(IncidentClass, grant.class_code) is None:
        raise NotFoundError(f"no incident class {grant.class_code!r}; see onegrid classes")


def _require_division(session: Session, county: str, code: str) -> None:
    division = session.get(Division, code)
    if division is None:
        whole = code.ljust(12, "0")
        is_short = code.isdigit() and len(code) < 12 and session.get(Division, whole) is not None
        hint = f": an area has 12 digits; is {whole} meant?" if is_short else ""
        raise NotFoundError(f"no division {code!r}{hint}")
    if division.county != county:
        raise StateError(f"division {code} is not in county {county}")


def _plain(grant: Grant) -> dict[str, str | None]:
    return {"role": grant.role, "division": grant.division, "class": grant.class_code}
