"""Server-side sessions: signing in, lockout, idle logout; cookies are held as token hashes."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from data.accounts import HASHER, Grant, grants_of
from data.audit import audit
from data.errors import NotFoundError
from data.models import Account, LoginSession, RoleGrant
from data.scope import Scope

__all__ = [
    "IDLE_MINUTES",
    "LOCK_MINUTES",
    "MOST_FAILURES",
    "SESSION_HOURS",
    "SignedIn",
    "log_in",
    "log_out",
    "signed_in",
    "still_signed_in",
]

SESSION_HOURS = 8
IDLE_MINUTES = 30
MOST_FAILURES = 5
LOCK_MINUTES = 15
# How old the note of the last request may grow: a write for each would cost more than it says.
_SEEN_S = 60
# Checked when the login is unknown, so that both answers take the same time.
_NOBODY = HASHER.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is at the desk, what they may do, and the token that forms must carry.

    `person_id` is whom the account stands for in the staff list, if for anybody.
    """

    login: str
    name: str
    county: str
    grants: tuple[Grant, ...]
    csrf: str
    person_id: int | None = None

    @property
    def roles(self) -> frozenset[str]:
        """The roles held anywhere."""
        return frozenset(one.role for one in self.grants)

    def scope(self, role: str) -> Scope:
        """The area that a role is held in."""
        return Scope.of(self.county, [one.division for one in self.grants if one.role == role])

    def classes(self, role: str) -> frozenset[str] | None:
        """The incident classes that a role is held for; None for all."""
        held = [one.class_code for one in self.grants if one.role == role]
        return None if None in held else frozenset(one for one in held if one)


def log_in(session: Session, login: str, password: str) -> str:
    """Check a password and open a session; return the cookie's token.

    After `MOST_FAILURES` wrong passwords in a row none is looked at for `LOCK_MINUTES`. The
    transaction must be committed after a refusal too: it holds the count.

    Raises
    ------
    NotFoundError
        If login and password do not fit, whichever is wrong, or the account is locked.
    """
    account = session.scalar(
        select(Account)
        .where(Account.login == login, Account.disabled_at.is_(None))
        .with_for_update()
    )
    fits = HASHER.verify(password, account.password_hash if account else _NOBODY)
    now = datetime.now(UTC)
    if account is None:
        raise NotFoundError("login and password do not fit")
    if account.locked_until is not None and account.locked_until > now:
        audit(session, account.county, login, "login.locked")
        raise NotFoundError("login and password do not fit")
    if not fits:
        _count_failure(session, account, now)
        raise NotFoundError("login and password do not fit")
    account.failures, account.locked_until = 0, None
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            county=account.county,
            token_hash=_digest(token),
            account_id=account.id,
            csrf=secrets.token_urlsafe(32),
            expires_at=now + timedelta(hours=SESSION_HOURS),
        )
    )
    audit(session, account.county, login, "login")
    return token


def _count_failure(session: Session, account: Account, now: datetime) -> None:
    account.failures += 1
    if account.failures >= MOST_FAILURES:
        account.failures = 0
        account.locked_until = now + timedelta(minutes=LOCK_MINUTES)
    audit(session, account.county, account.login, "login.refused")


def log_out(session: Session, token: str) -> None:
    """Close a session."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == _digest(token)))


def signed_in(session: Session, token: str | None) -> SignedIn | None:
    """Who a cookie's token belongs to; None where it is unknown, idle or has expired."""
    if not token:
        return None
    now = datetime.now(UTC)
    found = session.execute(
        select(LoginSession, Account)
        .join(Account, Account.id == LoginSession.account_id)
        .where(
            LoginSession.token_hash == _digest(token),
            LoginSession.expires_at > now,
            LoginSession.seen_at > now - timedelta(minutes=IDLE_MINUTES),
            Account.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    held, account = found
    if held.seen_at < now - timedelta(seconds=_SEEN_S):
        session.execute(
            update(LoginSession)
            .where(LoginSession.token_hash == held.token_hash)
            .values(seen_at=now)
            .execution_options(synchronize_session=False)
        )
    grants = grants_of(session, account.id)
    return SignedIn(
        account.login, account.name, account.county, grants, held.csrf, account.person_id
    )


def still_signed_in(session: Session, tokens: Collection[str]) -> dict[str, SignedIn]:
    """Who is still at a desk, of many cookies' tokens in one query.

    Being asked about is no sign of life: an idle session ends although its page listens on.
    """
    now = datetime.now(UTC)
    of_digest = {_digest(token): token for token in tokens}
    rows = session.execute(
        select(LoginSession.token_hash, LoginSession.csrf, Account, RoleGrant)
        .join(Account, Account.id == LoginSession.account_id)
        .outerjoin(RoleGrant, RoleGrant.account_id == Account.id)
        .where(
            LoginSession.token_hash.in_(of_digest),
            LoginSession.expires_at > now,
            LoginSession.seen_at > now - timedelta(minutes=IDLE_MINUTES),
            Account.disabled_at.is_(None),
        )
        .order_by(RoleGrant.id)
        .execution_options(populate_existing=True)
    ).all()
    found: dict[str, SignedIn] = {}
    for digest, csrf, account, grant in rows:
        token = of_digest[digest]
        held = found[token].grants if token in found else ()
        if grant is not None:
            held = (*held, Grant(grant.role, grant.division, grant.class_code))
        names = (account.login, account.name, account.county)
        found[token] = SignedIn(*names, held, csrf, account.person_id)
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
