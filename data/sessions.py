"""Server-side sessions: opened after a password, idle logout; cookies are held as token hashes.

Signing in takes three steps, since a password costs much time and memory: `credentials_of` reads,
the password is checked outside any transaction, and `open_session` writes.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from data.accounts import Grant, grants_of
from data.audit import audit
from data.errors import NotFoundError, StateError
from data.log import log_after_commit
from data.models import Account, LoginSession, RoleGrant
from data.passwords import NOBODYS_HASH, fits
from data.scope import Scope

__all__ = [
    "IDLE_MINUTES",
    "SESSION_HOURS",
    "Credentials",
    "Listed",
    "SignedIn",
    "Waiting",
    "credentials_of",
    "end_others",
    "go_on",
    "log_in",
    "log_out",
    "open_session",
    "purge_sessions",
    "sessions_of",
    "signed_in",
    "still_signed_in",
    "waiting",
]

SESSION_HOURS = 8
IDLE_MINUTES = 30
# How old the note of the last request may grow: a write for each would cost more than it says.
_SEEN_S = 60
# Between the password and the second step nobody needs longer.
_WAITING_MINUTES = 10
_WRONG = "login and password do not fit"


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
        """The area that a role is held in, and the incident classes there."""
        held = [(one.division, one.class_code) for one in self.grants if one.role == role]
        return Scope.of_grants(self.county, held)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session that may do one thing only: show the second factor, or set a new password.

    Attributes
    ----------
    stage : str
        ``factor`` or ``password``.
    """

    login: str
    name: str
    county: str
    csrf: str
    stage: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password is checked against; of an unknown login, a hash that nothing fits.

    Attributes
    ----------
    account_id : int
        0 where the login is unknown or disabled.
    has_factor : bool
        Whether a second factor is asked for.
    """

    login: str
    account_id: int = 0
    county: str = ""
    name: str = ""
    password_hash: str = NOBODYS_HASH
    device_stamp: str = ""
    has_factor: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One of an account's sessions, for its own list."""

    begun_at: datetime
    seen_at: datetime
    device: str
    is_this: bool


def credentials_of(session: Session, login: str) -> Credentials:
    """What a login's password is checked against."""
    account = session.scalar(
        select(Account).where(Account.login == login, Account.disabled_at.is_(None))
    )
    if account is None:
        return Credentials(login)
    return Credentials(
        login,
        account.id,
        account.county,
        account.name,
        account.password_hash,
        account.device_stamp,
        account.totp_confirmed_at is not None,
    )


def open_session(
    session: Session,
    credentials: Credentials,
    *,
    device: str = "",
    must_change: bool = False,
    stage: str = "",
) -> str:
    """Open a session for somebody whose password fitted; return the cookie's token.

    Parameters
    ----------
    device : str
        What the browser calls itself.
    must_change : bool
        Whether a new password must be set before anything else.
    stage : str
        By default the first step that the account needs.

    Raises
    ------
    NotFoundError
        If the account was disabled, or its password changed, while it was being checked.
    """
    same = select(Account.id).where(
        Account.id == credentials.account_id,
        Account.password_hash == credentials.password_hash,
        Account.disabled_at.is_(None),
    )
    if session.scalar(same) is None:
        raise NotFoundError(_WRONG)
    token = secrets.token_urlsafe(32)
    hours = timedelta(hours=SESSION_HOURS)
    needed = "factor" if credentials.has_factor else "password" if must_change else "open"
    stage = stage or needed
    session.add(
        LoginSession(
            county=credentials.county,
            token_hash=_digest(token),
            account_id=credentials.account_id,
            csrf=secrets.token_urlsafe(32),
            expires_at=datetime.now(UTC) + hours,
            stage=stage,
            must_change=must_change,
            device=device[:200],
        )
    )
    audit(session, credentials.county, credentials.login, "login", stage=stage)
    log_after_commit(session, "somebody signs in", account=credentials.account_id, stage=stage)
    return token


def log_in(session: Session, login: str, password: str) -> str:
    """Check a password and open a session in one transaction, for programs without a crowd.

    Raises
    ------
    NotFoundError
        If login and password do not fit, whichever is wrong.
    """
    credentials = credentials_of(session, login)
    if not fits(password, credentials.password_hash):
        raise NotFoundError(_WRONG)
    return open_session(session, credentials)


def log_out(session: Session, token: str) -> None:
    """Close a session."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == _digest(token)))


def signed_in(session: Session, token: str | None) -> SignedIn | None:
    """Who a cookie's token belongs to; None where it is unknown, idle, expired or waits."""
    if not token:
        return None
    now = datetime.now(UTC)
    found = session.execute(
        select(LoginSession, Account)
        .join(Account, Account.id == LoginSession.account_id)
        .where(
            LoginSession.token_hash == _digest(token),
            LoginSession.stage == "open",
            *_alive(now, IDLE_MINUTES),
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
            LoginSession.stage == "open",
            *_alive(now, IDLE_MINUTES),
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


def waiting(session: Session, token: str | None) -> Waiting | None:
    """Whose session waits for a second step, and for which; None where it does not."""
    if not token:
        return None
    found = session.execute(
        select(LoginSession, Account)
        .join(Account, Account.id == LoginSession.account_id)
        .where(
            LoginSession.token_hash == _digest(token),
            LoginSession.stage != "open",
            *_alive(datetime.now(UTC), _WAITING_MINUTES),
        )
    ).one_or_none()
    if found is None:
        return None
    row, account = found
    return Waiting(account.login, account.name, account.county, row.csrf, row.stage)


def go_on(session: Session, token: str, stage: str) -> str:
    """Take a session that waits in a stage to its next one, which is returned.

    Raises
    ------
    StateError
        If it waits in that stage no longer: each step is taken once.
    """
    row = session.get_one(LoginSession, _digest(token), with_for_update=True)
    if row.stage != stage:
        raise StateError("this step was taken already: load the page again")
    row.stage = "password" if row.stage == "factor" and row.must_change else "open"
    row.seen_at = datetime.now(UTC)
    session.flush()
    return row.stage


def sessions_of(session: Session, login: str, token: str) -> list[Listed]:
    """An account's sessions that are alive, newest first."""
    now = datetime.now(UTC)
    rows = session.scalars(
        select(LoginSession)
        .join(Account, Account.id == LoginSession.account_id)
        .where(Account.login == login, LoginSession.expires_at > now)
        .where(LoginSession.seen_at > now - timedelta(minutes=IDLE_MINUTES))
        .order_by(LoginSession.id.desc())
    )
    own = _digest(token)
    return [Listed(r.begun_at, r.seen_at, r.device, r.token_hash == own) for r in rows]


def end_others(session: Session, login: str, token: str) -> int:
    """End all sessions of an account but one, and forget its devices; return how many ended.

    The device that asks is given a new cookie by its next sign-in.
    """
    account = session.scalars(select(Account).where(Account.login == login)).one()
    account.device_stamp = secrets.token_urlsafe(12)
    others = delete(LoginSession).where(
        LoginSession.account_id == account.id, LoginSession.token_hash != _digest(token)
    )
    ended = session.scalars(others.returning(LoginSession.id)).all()
    audit(session, account.county, login, "account.end_sessions", login, ended=len(ended))
    return len(ended)


def purge_sessions(session: Session) -> int:
    """Delete sessions that have expired or are idle; return how many."""
    now = datetime.now(UTC)
    gone = delete(LoginSession).where(
        (LoginSession.expires_at < now)
        | (LoginSession.seen_at < now - timedelta(minutes=IDLE_MINUTES))
    )
    return len(session.scalars(gone.returning(LoginSession.id)).all())


def _alive(now: datetime, idle_minutes: int) -> tuple[ColumnElement[bool], ...]:
    """What a session and its account must be for anything to be done by it."""
    return (
        LoginSession.expires_at > now,
        LoginSession.seen_at > now - timedelta(minutes=idle_minutes),
        Account.disabled_at.is_(None),
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
