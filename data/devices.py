"""Known devices: a signed cookie says that somebody has signed in from here with success.

OWASP calls it a device cookie: who guesses from elsewhere can close a name for strangers, but not
for the devices of its owner. It names the account's stamp, which changes with the password.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

__all__ = ["DEVICE_DAYS", "Device", "Devices"]

DEVICE_DAYS = 365
# A counter's browser is several people's; the cookie holds so many of them.
_MOST = 6
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an account.

    Attributes
    ----------
    number : str
        Random; wrong passwords from this device are counted under it.
    stamp : str
        The account's `device_stamp` when the cookie was given.
    """

    number: str
    stamp: str


class Devices:
    """Reads and writes the cookie's text.

    Parameters
    ----------
    key : bytes
        The server's key.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._signer = URLSafeSerializer(key, salt="device")

    def device(self, cookie: str, login: str) -> Device | None:
        """The device that the cookie names for a login; its stamp is not compared yet."""
        said = self._read(cookie).get(self._name(login))
        return Device(*said) if said else None

    def with_device(self, cookie: str, login: str, stamp: str) -> str:
        """The cookie, with this login added as the newest."""
        known = self._read(cookie)
        name = self._name(login)
        former = known.pop(name, None)
        number = former[0] if former else secrets.token_urlsafe(9)
        newest = list(known.items())[-(_MOST - 1) :]
        return self._written(dict([*newest, (name, (number, stamp))]))

    def _written(self, known: dict[str, tuple[str, str]]) -> str:
        text = self._signer.dumps(known)
        return text if isinstance(text, str) else text.decode()

    def _read(self, cookie: str) -> dict[str, tuple[str, str]]:
        if not cookie or len(cookie) > _LONGEST:
            return {}
        try:
            known: Any = self._signer.loads(cookie)
            return {str(name): (str(said[0]), str(said[1])) for name, said in known.items()}
        except (BadSignature, AttributeError, TypeError, IndexError, ValueError):
            return {}

    def _name(self, login: str) -> str:
        """A keyed hash: who borrows the device does not read who uses it."""
        return hmac.new(self._key, f"device {login}".encode(), hashlib.sha256).hexdigest()[:16]
