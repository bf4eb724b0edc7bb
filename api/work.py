"""The worker's page: own tasks, reports and photos, on a phone, also where there is no network."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

import maps
from api.pages import language_of, render, script_facts, texts_of
from api.session import Db, desk
from data.models import IncidentClass, Person
from data.sessions import SignedIn

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_SCRIPT = Path(maps.__file__).parent / "static" / "work" / "offline.js"


@router.get("/work", response_class=HTMLResponse)
def page(request: Request, db: Db, who: Annotated[SignedIn, Depends(desk("worker"))]) -> str:
    """The page; what it shows it asks for itself, so that it can be kept on the phone."""
    chinese = language_of(request) == "zh"
    classes = {
        one.code: one.name if chinese else one.name_en
        for one in db.scalars(select(IncidentClass).order_by(IncidentClass.code))
    }
    person = None if who.person_id is None else db.get(Person, who.person_id)
    facts = {
        "lang": language_of(request),
        "words": texts_of(request).catalogue,
        "csrf": who.csrf,
        "login": who.login,
        "mode": "moped" if person is None else person.mode,
        "classes": classes,
    }
    return render(request, "work.html", facts=script_facts(facts), classes=classes)


@router.get("/work/offline.js")
def offline() -> Response:
    """The script that keeps the page on the phone; it may only answer for ``/work``."""
    content = _SCRIPT.read_bytes()
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/work"}
    return Response(content, media_type="text/javascript", headers=headers)
