"""What people send as files: who may is asked first, and no file is longer than it may be."""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from api.admission import counted
from api.errors import TooLargeError
from api.limits import body_of
from api.session import checked_form, desk, in_turn
from data.errors import SourceError
from data.jobs import QuotaError, require_kind
from data.sandbox import work_folder
from data.sessions import SignedIn

__all__ = [
    "MOST_UNDER_WAY",
    "Sent",
    "UnderWay",
    "asked_first",
    "body_as",
    "fitting",
    "named_as",
    "received",
]

Model = TypeVar("Model", bound=BaseModel)

_MOST_FIELDS, _LONGEST_FIELD = 20, 10_000
# Files of one account that come in at once, for each process of the web server: one that comes
# in is in no table yet, and whoever holds it back holds room on the disk.
MOST_UNDER_WAY = 2


class UnderWay:
    """How many files of each account this process is receiving."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def one(self, who: SignedIn) -> AbstractContextManager[None]:
        """Count a file for as long as the block lasts.

        Raises
        ------
        QuotaError
            If there are `MOST_UNDER_WAY` already.
        """
        key = who.county, who.login
        if self._counts[key] >= MOST_UNDER_WAY:
            raise QuotaError(
                f"{MOST_UNDER_WAY} of your files are on their way already: wait for one to arrive"
            )
        return counted(self._counts, key)


def asked_first(
    *roles: str,
    has_token: bool = True,
    also: Callable[[Request, Session, SignedIn], object] | None = None,
) -> Callable[..., Coroutine[Any, Any, SignedIn]]:
    """Dependency: the role, in a turn of its own that ends before the body is read.

    It stands before what reads the body among an endpoint's parameters.

    Parameters
    ----------
    has_token : bool
        Whether the session's token comes in the header ``X-CSRF-Token``.
    also : callable, optional
        Raises where the one who asks may not send this, such as to another area's incident.
    """
    check = desk(*roles)

    async def asked(
        request: Request, x_csrf_token: Annotated[str, Header(max_length=100)] = ""
    ) -> SignedIn:
        def checked(session: Session) -> SignedIn:
            who = check(request, session)
            if has_token:
                checked_form(who, x_csrf_token)
            if also is not None:
                also(request, session, who)
            return who

        return await in_turn(request, checked)

    return asked


def body_as(model: type[Model], largest: int) -> Callable[..., Coroutine[Any, Any, Model]]:
    """Dependency: a long body of JSON as a model; it stands behind `asked_first`.

    FastAPI itself reads a body before it asks anything.
    """

    async def read(request: Request) -> Model:
        try:
            return model.model_validate_json(await body_of(request, largest))
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error

    return read


@dataclass(frozen=True, slots=True)
class Sent:
    """A form with a file.

    Attributes
    ----------
    path : Path
        The file, in a folder that goes when the form has been dealt with.
    name : str
        What its author calls it.
    fields : dict of str to str
        The other fields.
    """

    path: Path
    name: str
    fields: dict[str, str]


@asynccontextmanager
async def received(
    request: Request, who: SignedIn, parent: Path | None = None
) -> AsyncIterator[Sent]:
    """Read a form with one file, called ``file``; its length is bounded by `api.limits`.

    Parameters
    ----------
    who : SignedIn
        Who sends it: of one account `MOST_UNDER_WAY` come in at once.
    parent : Path, optional
        Where the file shall lie until the form has been dealt with.

    Raises
    ------
    SourceError
        If there is no file.
    TooLargeError
        If the disk has no room for it and for what comes of it.
    QuotaError
        If as many files of the account are on their way as may be.
    """
    with request.app.state.under_way.one(who):
        _require_disk(request)
        async with _form(request, parent) as sent:
            yield sent


def _require_disk(request: Request) -> None:
    """Refuse a body that says it is longer than the disk has room for, before it is read."""
    said = request.headers.get("content-length", "")
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if re.fullmatch(r"[0-9]{1,15}", said) and int(said) * 2 > free:
        raise TooLargeError(f"the file has {int(said):,} bytes, the server's disk {free:,} free")


@asynccontextmanager
async def _form(request: Request, parent: Path | None) -> AsyncIterator[Sent]:
    folder = await run_in_threadpool(work_folder, parent)
    try:
        async with request.form(
            max_files=1, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD
        ) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise SourceError("the form has no file")
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            path = folder / "file"
            await run_in_threadpool(_keep, file, path)
            yield Sent(path, (file.filename or "")[-200:], fields)
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


def fitting(model: type[Model], fields: dict[str, str]) -> Model:
    """The fields of a form as a model.

    Raises
    ------
    RequestValidationError
        If they do not fit: answered as the framework's own.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def named_as(sent: Sent, name: str, only: Collection[str] | None = None) -> Path:
    """The file under the ending of the name that its author gave.

    Raises
    ------
    SourceError
        If it is none of `only` (by default, of tables), or does not begin as such a file does.
    """
    with sent.path.open("rb") as file:
        suffix = require_kind(name, file.read(64), only)
    return sent.path.rename(sent.path.with_name(f"sent{suffix}"))


def _keep(file: UploadFile, path: Path) -> None:
    free = shutil.disk_usage(path.parent).free
    if (file.size or 0) * 4 > free:
        raise TooLargeError(f"the file has {file.size} bytes, the server's disk {free} free")
    with path.open("wb") as handle:
        shutil.copyfileobj(file.file, handle)
