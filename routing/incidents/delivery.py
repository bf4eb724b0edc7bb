"""Carrying notices out of the house: mail, SMS gateways, other systems; at least once each.

A notice is taken, carried and marked in one transaction of its own. A process that is killed
between carrying and marking leaves it waiting, and it is carried again under the same key: mail
carries it as ``Message-ID``, HTTP as ``Idempotency-Key``, so that the other side shows it once.
"""

import json
import smtplib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.log import log_after_commit, within_request
from data.models import Outbox
from data.outages import Outage
from data.reasons import reason_of
from gis.errors import OneGridError
from routing.incidents.notices import DESK

__all__ = ["MOST_ATTEMPTS", "Carrier", "CarryError", "carriers", "deliver_one"]

MOST_ATTEMPTS = 8
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=1)
_TIMEOUT_S = 10.0
Carrier = Callable[[Outbox], None]
_NEXT = text(
    "SELECT id FROM outbox WHERE county = :county AND state = 'waiting' AND next_at <= :now "
    "ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"
)


class CarryError(OneGridError):
    """The other side did not take a notice; it is tried again."""


def deliver_one(
    session: Session,
    county: str,
    carry: Mapping[str, Carrier],
    *,
    at: datetime | None = None,
) -> bool:
    """Carry the notice that has waited longest; return whether there was one.

    Commit after each. One that nobody takes `MOST_ATTEMPTS` times is given up, and the desk is
    told.

    Parameters
    ----------
    carry : mapping of str to Carrier
        By channel; see `carriers`.
    """
    now = at or datetime.now(UTC)
    number = session.scalar(_NEXT, {"county": county, "now": now})
    if number is None:
        return False
    notice = session.get_one(Outbox, number)
    notice.attempts += 1
    try:
        if notice.channel not in carry:
            raise CarryError(f"no carrier for {notice.channel} is set up")
        carry[notice.channel](notice)
    except CarryError as error:
        _failed(session, notice, str(error), now)
        _outage(notice.channel).failed(reason_of(error.__cause__ or error), notice.address)
    else:
        notice.state, notice.sent_at, notice.reason = "sent", now, ""
        _outage(notice.channel).well(notice.address)
    return True


@cache
def _outage(channel: str) -> Outage:
    """What is told of the other sides of a channel, together."""
    return Outage(
        "notices are not taken by the other side",
        "notices are still not taken by the other side",
        "notices are taken again by the other side",
        facts={"channel": channel},
    )


def _failed(session: Session, notice: Outbox, reason: str, now: datetime) -> None:
    notice.reason = reason[:400]
    if notice.attempts < MOST_ATTEMPTS:
        notice.next_at = now + min(_FIRST_WAIT * 2 ** (notice.attempts - 1), _LONGEST_WAIT)
        return
    notice.state = "failed"
    facts = {"notice": notice.id, "channel": notice.channel, "attempts": notice.attempts}
    with within_request(str(notice.content.get("request", ""))):
        log_after_commit(session, "a notice is given up", **facts)
    told = {
        "county": notice.county,
        "key": f"failed:{notice.id}",
        "channel": "app",
        "address": DESK,
        "incident_id": notice.incident_id,
        "subject": "notice_failed",
        "content": {**notice.content, "channel": notice.channel, "reason": notice.reason},
        "state": "sent",
    }
    session.execute(insert(Outbox).values(told).on_conflict_do_nothing())


def carriers(smtp: str = "", sender: str = "") -> dict[str, Carrier]:
    """What carries each channel.

    Parameters
    ----------
    smtp : str
        ``host:port`` of a mail server that takes mail from this machine; empty for none.
    sender : str
        Address that mail comes from.
    """
    made: dict[str, Carrier] = {"webhook": _post, "sms": _post}
    if smtp and sender:
        made["email"] = _mailer(smtp, sender)
    return made


class _NoRedirect(HTTPRedirectHandler):
    """A gateway that answers somewhere else is not followed there: the notice is not for it."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


_OPENER = build_opener(_NoRedirect)


def _post(notice: Outbox) -> None:
    if urlsplit(notice.address).scheme not in {"http", "https"}:
        raise CarryError(f"{notice.address} is no http address")
    body = json.dumps({"key": notice.key, "kind": notice.subject, **notice.content})
    request = Request(  # noqa: S310 - the scheme was checked
        notice.address,
        body.encode(),
        {"Content-Type": "application/json", "Idempotency-Key": notice.key},
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S):
            return
    except HTTPError as error:
        raise CarryError(f"answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise CarryError(f"did not answer: {error}") from error


def _mailer(smtp: str, sender: str) -> Carrier:
    host, _, port = smtp.partition(":")

    def mail(notice: Outbox) -> None:
        message = EmailMessage()
        message["From"], message["To"] = sender, notice.address
        message["Subject"] = f"{notice.content.get('case', '')} {notice.subject}"
        message["Message-ID"] = f"<{notice.key.replace(':', '.')}@onegrid>"[:200]
        lines = (f"{name}: {value}" for name, value in notice.content.items() if value)
        message.set_content("\n".join(lines))
        try:
            with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT_S) as server:
                server.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise CarryError(f"mail was not taken: {error}") from error

    return mail
