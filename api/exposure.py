"""What a server must have before it listens beyond this machine."""

from urllib.parse import urlsplit

from sqlalchemy import select

from data.database import Database
from data.errors import ExposedError
from data.models import Account
from data.passwords import DEMO_LOGINS, DEMO_PASSWORD, fits
from data.settings import DEMO_COUNTY, LEAST_KEY, Settings

__all__ = ["require_no_demo", "require_public_address"]

_MOST_CHECKED = 50


def require_public_address(settings: Settings, *, insecure: bool) -> None:
    """Refuse to be reached from beyond this machine without a public address by HTTPS.

    Nor with keys of other systems that can be guessed.

    Raises
    ------
    ExposedError
        Says what to set.
    """
    if not settings.is_exposed:
        return
    if not settings.public_url:
        raise ExposedError(
            f"the server would listen on {settings.host}, beyond this machine, without a public "
            "address: set ONEGRID_PUBLIC_URL to the https:// address under which people reach it"
        )
    if urlsplit(settings.public_url).scheme != "https" and not insecure:
        raise ExposedError(
            f"{settings.public_url} is plain HTTP, by which passwords go in the clear: put a proxy "
            "with TLS before the server and name its https:// address, or give --insecure"
        )
    if settings.metrics == "local":
        raise ExposedError(
            "ONEGRID_METRICS=local would open /metrics to whoever comes by a proxy of this "
            "machine: give a key to the system that reads them, ONEGRID_METRICS=name:key"
        )
    short = [name for name, key in settings.named_keys if len(key) < LEAST_KEY]
    if short:
        raise ExposedError(
            f"the keys of {', '.join(short)} in ONEGRID_INTAKE_KEYS have fewer than {LEAST_KEY} "
            "characters, and can be guessed: give each a long and random one of its own"
        )


def require_no_demo(settings: Settings, database: Database) -> None:
    """Refuse to be reached from beyond this machine with the demonstration's password about.

    Looks at accounts of the demonstration's county, where it could be set: its own logins first,
    and no more than `_MOST_CHECKED`, since each takes as long as a sign-in. Signing in by it is
    refused in any case.

    Raises
    ------
    ExposedError
        Names the logins.
    """
    if not settings.is_exposed:
        return
    query = select(Account.login, Account.password_hash).where(
        Account.county == DEMO_COUNTY, Account.disabled_at.is_(None)
    )
    first = (Account.login.not_in(DEMO_LOGINS), Account.login)
    with database.session() as session:
        rows = session.execute(query.order_by(*first).limit(_MOST_CHECKED)).all()
    working = [login for login, password_hash in rows if fits(DEMO_PASSWORD, password_hash)]
    if working:
        raise ExposedError(
            f"the demonstration's printed password opens {', '.join(working)}: give each another "
            "by `onegrid user password`, or close it by `onegrid user disable`"
        )
