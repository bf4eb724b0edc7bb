"""The second factor: one-time codes by time (RFC 6238), and recovery codes for a lost telephone."""

import base64
import hashlib
import secrets
from datetime import UTC, datetime

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from data.accounts import account_of
from data.audit import audit
from data.errors import StateError
from data.models import Account, RecoveryCode

__all__ = [
    "begin_factor",
    "check_factor",
    "confirm_factor",
    "factor_address",
    "has_factor",
    "new_recovery_codes",
    "recovery_codes_left",
    "remove_factor",
]

_CODES = 10
_STEP_S = 30
# A clock may be half a minute off.
_NEAR = (0, -1, 1)
_ISSUER = "OneGrid"


def has_factor(session: Session, login: str) -> bool:
    """Whether a second factor is asked for."""
    return account_of(session, login).totp_confirmed_at is not None


def begin_factor(session: Session, login: str) -> None:
    """Make a secret; it holds from its confirmation by a code.

    Raises
    ------
    StateError
        If there is a second factor already.
    """
    account = account_of(session, login)
    if account.totp_confirmed_at is not None:
        raise StateError("there is a second factor already: remove it first")
    account.totp_secret = pyotp.random_base32()


def factor_address(session: Session, login: str) -> str:
    """What the telephone reads (``otpauth://…``) while the secret is not confirmed; else empty."""
    account = account_of(session, login)
    if account.totp_secret is None or account.totp_confirmed_at is not None:
        return ""
    return pyotp.TOTP(account.totp_secret).provisioning_uri(name=login, issuer_name=_ISSUER)


def confirm_factor(session: Session, login: str, code: str) -> list[str]:
    """Ask for the second factor from now on; return the recovery codes, shown this once.

    Raises
    ------
    StateError
        If no secret waits, or the code is not its.
    """
    account = account_of(session, login)
    if account.totp_secret is None or account.totp_confirmed_at is not None:
        raise StateError("no second factor waits to be confirmed")
    if not _take_code(session, account, code):
        raise StateError("the code does not fit: compare the telephone's clock")
    account.totp_confirmed_at = datetime.now(UTC)
    audit(session, account.county, login, "account.factor", login)
    return new_recovery_codes(session, login)


def check_factor(session: Session, login: str, code: str) -> bool:
    """Whether a code is the telephone's, or a recovery code; neither is taken twice."""
    account = account_of(session, login)
    if account.totp_confirmed_at is None:
        return False
    if _take_code(session, account, code):
        return True
    used = session.scalar(
        delete(RecoveryCode)
        .where(RecoveryCode.account_id == account.id, RecoveryCode.code_hash == _digest(code))
        .returning(RecoveryCode.account_id)
    )
    if used is None:
        return False
    left = recovery_codes_left(session, login)
    audit(session, account.county, login, "account.recovery_code", login, left=left)
    return True


def new_recovery_codes(session: Session, login: str) -> list[str]:
    """Make recovery codes in place of the former ones; only their hashes are held."""
    account = account_of(session, login)
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    session.add_all(
        RecoveryCode(county=account.county, account_id=account.id, code_hash=_digest(code))
        for code in codes
    )
    session.flush()
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def recovery_codes_left(session: Session, login: str) -> int:
    """How many recovery codes have not been used."""
    mine = RecoveryCode.account_id == account_of(session, login).id
    return int(session.scalar(select(func.count()).select_from(RecoveryCode).where(mine)) or 0)


def remove_factor(session: Session, login: str, *, actor: str = "system") -> None:
    """Ask for a password alone again."""
    account = account_of(session, login)
    account.totp_secret, account.totp_confirmed_at = None, None
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    audit(session, account.county, actor, "account.remove_factor", login)


def _take_code(session: Session, account: Account, code: str) -> bool:
    """Take a code of the telephone; its time step is then over, also for others at once."""
    digits = "".join(sign for sign in code if sign.isascii() and sign.isdigit())
    if account.totp_secret is None or len(digits) != 6 or len(code) > 12:
        return False
    totp, now = pyotp.TOTP(account.totp_secret, interval=_STEP_S), datetime.now(UTC)
    step = int(now.timestamp()) // _STEP_S
    fitting = [
        step + near
        for near in _NEAR
        if secrets.compare_digest(totp.at(for_time=now, counter_offset=near), digits)
    ]
    if not fitting:
        return False
    taken = session.scalar(
        update(Account)
        .where(Account.id == account.id, Account.totp_step < fitting[0])
        .values(totp_step=fitting[0])
        .returning(Account.id)
        .execution_options(synchronize_session=False)
    )
    return taken is not None


def _digest(code: str) -> str:
    plain = "".join(sign for sign in code.casefold() if sign.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
