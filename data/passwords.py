"""What a password must be, and how it is held: as an argon2id hash."""

import re
import secrets

from pwdlib import PasswordHash
from pypinyin import lazy_pinyin

from data.common_passwords import PRODUCT_WORDS, canonical, is_common
from data.errors import StateError
from data.settings import DEMO_COUNTY

__all__ = [
    "DEMO_LOGINS",
    "DEMO_PASSWORD",
    "LEAST_PASSWORD",
    "MOST_PASSWORD",
    "NOBODYS_HASH",
    "fault_of",
    "fits",
    "hash_of",
    "is_exempt",
    "meets_rules",
    "require_password",
]

# The longest is that of ASVS 2.1.2.
LEAST_PASSWORD, MOST_PASSWORD = 12, 128
# Printed by the program, for a fictional city.
DEMO_PASSWORD = "onegrid-demo"  # noqa: S105 - same
DEMO_LOGINS = frozenset({"demo", "demo-review", "demo-worker"})
_HASHER = PasswordHash.recommended()
# Checked when the login is unknown, so that both answers take the same time.
NOBODYS_HASH = _HASHER.hash(secrets.token_urlsafe(16))
# What must be left of a password when one's own names and the product's are taken out.
_LEAST_OWN = 6
_FAULTS = {
    "short": f"the password needs {LEAST_PASSWORD} characters or more",
    "long": f"the password has more than {MOST_PASSWORD} characters",
    "login": "the password holds the login",
    "common": "the password is one of those that are guessed first: take other words",
    "names": "the password holds little more than names of yours or of the product",
}
_DIGITS = re.compile(r"[\d零〇一二三四五六七八九十年月日]+")


def hash_of(password: str) -> str:
    """The hash that is held; takes some 50 ms of a core, and 64 MB."""
    return _HASHER.hash(password)


def fits(password: str, password_hash: str) -> bool:
    """Whether a password is that of a hash; as expensive as making one."""
    return _HASHER.verify(password, password_hash)


def is_exempt(county: str, login: str, password: str) -> bool:
    """Whether it is the demonstration's password, of one of the demonstration's own logins."""
    return county == DEMO_COUNTY and login in DEMO_LOGINS and password == DEMO_PASSWORD


def meets_rules(login: str, name: str, password: str) -> bool:
    """Whether a password would be taken as a new one."""
    return not fault_of(login, name, password)


def require_password(login: str, name: str, password: str) -> None:
    """Refuse a password that is short or likely to be guessed (ASVS 2.1); signs are free.

    Raises
    ------
    StateError
        Says what is wrong with it.
    """
    if fault := fault_of(login, name, password):
        raise StateError(_FAULTS[fault])


def fault_of(login: str, name: str, password: str) -> str:
    """What is wrong with a password: a key of `_FAULTS`, or empty."""
    if len(password) < LEAST_PASSWORD:
        return "short"
    if len(password) > MOST_PASSWORD:
        return "long"
    text = password.casefold()
    if len(login) >= 3 and login.casefold() in text:
        return "login"
    if is_common(password):
        return "common"
    if len(_own_part(login, name, text)) < _LEAST_OWN:
        return "names"
    return ""


def _own_part(login: str, name: str, text: str) -> str:
    """What is left of a password without digits and what everybody knows."""
    syllables = lazy_pinyin(name)
    known = {login.casefold(), name.casefold(), "".join(syllables), "".join(syllables[1:])}
    known |= {*syllables, *PRODUCT_WORDS}
    rest = canonical(_DIGITS.sub("", text))
    for word in sorted(map(canonical, known), key=len, reverse=True):
        if len(word) >= 3:
            rest = rest.replace(word, "")
    return rest
