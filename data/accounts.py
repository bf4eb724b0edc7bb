"""Accounts and server-side sessions; passwords as argon2 hashes, cookies as token hashes."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pwdlib import PasswordHash
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Account, LoginSession, RoleGrant

__all__ = ["DESK_ROLES", "SignedIn", "add_account", "log_in", "log_out", "signed_in"]

DESK_ROLES = ("planner", "dispatcher", "administrator")
SESSION_HOURS = 8
_HASHER = PasswordHash.recommended()
# Checked when the login is unknown, so that both answers take the same time.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is at the desk: login, county, roles, and the token that forms must carry."""

    login: str
    name: str
    county: str
    roles: frozenset[str]
    csrf: str


def add_account(
    session: Session, county: str, login: str, name: str, password: str, roles: tuple[str, ...]
) -> Account:
    """Add an account with its roles.

    Raises
    ------
    StateError
        If the login is taken, a role unknown, or the password shorter than 8.
    """
    if unknown := set(roles) - set(DESK_ROLES):
        raise StateError(f"unknown role {min(unknown)!r}; there are: {', '.join(DESK_ROLES)}")
    if len(password) < 8:
        raise StateError("the password needs 8 characters or more")
    if session.scalar(select(Account).where(Account.login == login)):
        raise StateError(f"login {login!r} is taken")
    account = Account(county=county, login=login, name=name, password_hash=_HASHER.hash(password))
    session.add(account)
    session.flush()
    session.add_all(RoleGrant(county=county, account_id=account.id, role=role) for role in roles)
    return account


def log_in(session: Session, login: str, password: str) -> str:
    """Check a password and open a session; return the cookie's token.

    Raises
    ------
    NotFoundError
        If login and password do not fit, whichever is wrong.
    """
    account = session.scalar(
        select(Account).where(Account.login == login, Account.disabled_at.is_(None))
    )
    fits = _HASHER.verify(password, account.password_hash if account else _NOBODY)
    if account is None or not fits:
        raise NotFoundError("login and password do not fit")
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            county=account.county,
            token_hash=_digest(token),
            account_id=account.id,
            csrf=secrets.token_urlsafe(32),
            expires_at=datetime.now(UTC) + timedelta(hours=SESSION_HOURS),
        )
    )
    return token


def log_out(session: Session, token: str) -> None:
    """Close a session."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == _digest(token)))


def signed_in(session: Session, token: str | None) -> SignedIn | None:
    """Who a cookie's token belongs to; None where it is unknown or has expired."""
    if not token:
        return None
    found = session.execute(
        select(LoginSession, Account)
        .join(Account, Account.id == LoginSession.account_id)
        .where(
            LoginSession.token_hash == _digest(token),
            LoginSession.expires_at > datetime.now(UTC),
            Account.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    login, account = found
    roles = session.scalars(select(RoleGrant.role).where(RoleGrant.account_id == account.id))
    return SignedIn(account.login, account.name, account.county, frozenset(roles), login.csrf)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
