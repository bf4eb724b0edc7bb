"""What a request needs: the database session, the signed-in account, the county's engines."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Form, Request
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.errors import LoginRequiredError, RefusedError
from data.accounts import SignedIn, signed_in
from grids.who import Directory, load_directory
from routing.network import RoadNetwork

__all__ = ["COOKIE", "Db", "Engines", "checked_form", "county_of", "desk", "engines"]

COOKIE = "onegrid_session"


def _db(request: Request) -> Iterator[Session]:
    with request.app.state.database.session() as session:
        yield session


Db = Annotated[Session, Depends(_db, scope="function")]


def county_of(request: Request) -> str:
    """The county that this server serves."""
    county: str = request.app.state.settings.county
    return county


def desk(role: str) -> Callable[..., SignedIn]:
    """Dependency: somebody with this role is signed in, or the request ends here."""

    def check(request: Request, db: Db) -> SignedIn:
        who = signed_in(db, request.cookies.get(COOKIE))
        if who is None:
            raise LoginRequiredError("sign in first")
        if who.county != county_of(request) or not who.roles & {role, "administrator"}:
            raise RefusedError(f"this needs the role {role}")
        request.state.who = who
        return who

    return check


def checked_form(who: SignedIn, csrf: str) -> None:
    """Refuse a form that was not made for this session."""
    if not secrets.compare_digest(who.csrf, csrf):
        raise RefusedError("the form has expired: load the page again")


CsrfField = Annotated[str, Form()]


class Engines:
    """Directory and road network of a county, loaded once and again when they change."""

    def __init__(self, networks_dir: Path) -> None:
        self._networks_dir = networks_dir
        self._directory: tuple[Any, Directory] | None = None
        self._network: tuple[float, RoadNetwork] | None = None

    def directory(self, session: Session, county: str) -> Directory:
        """The directory as of now; a publication or a changed responsibility renews it."""
        version = session.execute(_VERSION, {"county": county}).one()
        if self._directory is None or self._directory[0] != version:
            self._directory = version, load_directory(session, county)
        return self._directory[1]

    def network(self, county: str) -> RoadNetwork:
        """The county's road network; a new file renews it."""
        path = self._networks_dir / f"{county}.npz"
        changed = path.stat().st_mtime if path.exists() else 0.0
        if self._network is None or self._network[0] != changed:
            self._network = changed, RoadNetwork.load(path)
        return self._network[1]


_VERSION = text(
    "SELECT (SELECT max(id) FROM generation WHERE county = :county AND valid @> now()), "
    "(SELECT count(*) FROM responsibility WHERE county = :county AND valid @> now()), "
    "(SELECT max(id) FROM responsibility WHERE county = :county)"
)


def engines(request: Request) -> Engines:
    """The engines of this process."""
    held: Engines = request.app.state.engines
    return held
