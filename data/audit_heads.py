"""The chain's heads, kept where the database cannot change them: a file, and a witness.

A chain shows what was changed in its middle; that its end was cut off is shown only by a head
that is kept elsewhere.
"""

import fcntl
import json
import os
import smtplib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.request import Request, urlopen

from sqlalchemy import text

from data.database import Database
from data.outages import Outage
from data.reasons import reason_of
from data.settings import Settings

__all__ = ["Head", "HeadKeeper", "forget_heads", "kept_heads"]

_KEEP_S, _WITNESS_S, _WAIT_S = 30.0, 60.0, 10.0
_HEAD = text("SELECT id, hash, at FROM audit_log WHERE county = :county ORDER BY id DESC LIMIT 1")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a county's chain at a time."""

    county: str
    id: int
    hash: str
    at: str


class HeadKeeper:
    """Writes the head to ``audit/heads.jsonl`` at least each minute, and tells the witness.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = heads_file(settings.home)
        self._next, self._next_told = 0.0, 0.0
        self._last: Head | None = None
        self._told: Head | None = None
        self._outage = Outage(
            "the witness of the audit log is not told",
            "the witness of the audit log is still not told",
            "the witness of the audit log is told again",
        )

    def keep(self, database: Database, *, force: bool = False) -> None:
        """Keep the head where it is time to, or it is forced, and there is a new one."""
        if time.monotonic() < self._next and not force:
            return
        self._next = time.monotonic() + _KEEP_S
        head = self._newest(database)
        if head is None:
            return
        if head != self._last:
            self._append(head)
            self._last = head
        if self._settings.audit_witness and head != self._told:
            self._tell(head, at_once=force)

    def _newest(self, database: Database) -> Head | None:
        with database.engine.connect() as connection:
            row = connection.execute(_HEAD, {"county": self._settings.county}).one_or_none()
        return None if row is None else Head(self._settings.county, row.id, row.hash, f"{row.at}")

    def _append(self, head: Head) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = json.dumps(asdict(head)).encode() + b"\n"
        # One write to a file that is only appended to: processes do not cut each other's lines.
        with _locked(self._path) as handle:
            os.write(handle, line)
            os.fsync(handle)

    def _tell(self, head: Head, *, at_once: bool) -> None:
        if time.monotonic() < self._next_told and not at_once:
            return
        self._next_told = time.monotonic() + _WITNESS_S
        self._told = head
        # A witness that does not answer holds up nobody.
        threading.Thread(target=self._tell_witness, args=(head,), daemon=True).start()

    def _tell_witness(self, head: Head) -> None:
        try:
            tell_witness(self._settings, head)
        except (OSError, smtplib.SMTPException) as error:
            self._told = None
            self._outage.failed(reason_of(error))
        else:
            self._outage.well()


def tell_witness(settings: Settings, head: Head) -> None:
    """Tell a head to the configured address: by POST, or by mail."""
    body, address = json.dumps(asdict(head)), settings.audit_witness
    if address.startswith(("http://", "https://")):
        headers = {"Content-Type": "application/json"}
        request = Request(address, body.encode(), headers)  # noqa: S310 - of the settings
        with urlopen(request, timeout=_WAIT_S):  # noqa: S310 - same
            return
    message = EmailMessage()
    message["From"], message["To"] = settings.mail_from, address
    message["Subject"] = f"OneGrid audit head {head.county} {head.id}"
    message.set_content(body)
    host, _, port = settings.smtp.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=_WAIT_S) as server:
        server.send_message(message)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file of heads, open to append, and nobody else's meanwhile."""
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # `forget_heads` may have put another file in its place while this waited.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                yield handle
                return
        finally:
            os.close(handle)


def forget_heads(home: Path, county: str, before: int) -> int:
    """Drop the heads of entries before one, which the log no longer holds; return how many bytes.

    The file is written anew beside the old one, which it then replaces.
    """
    path = heads_file(home)
    if not any(head.id < before for head in kept_heads(home, county)):
        return 0
    with _locked(path):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not _is_of(line, county, before)]
        beside = path.with_suffix(".part")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    return sum(map(len, lines)) - sum(map(len, kept))


def _is_of(line: bytes, county: str, before: int) -> bool:
    head = _head_of(line)
    return head is not None and head.county == county and head.id < before


def _head_of(line: bytes) -> Head | None:
    try:
        return Head(**json.loads(line))
    except (ValueError, TypeError):
        return None


def heads_file(home: Path) -> Path:
    """Where the heads are kept."""
    return home / "audit" / "heads.jsonl"


def kept_heads(home: Path, county: str) -> Iterator[Head]:
    """The heads of a county that were kept, oldest first; a torn line is passed over."""
    path = heads_file(home)
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        head = _head_of(line)
        if head is not None and head.county == county:
            yield head
