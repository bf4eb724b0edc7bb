"""Rendering pages in the reader's language."""

import json
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

import maps
from data.roles import role_name_in
from data.settings import DEMO_COUNTY
from maps.page import MapPage
from maps.texts import LANGUAGES, Texts, texts

__all__ = ["language_of", "load_templates", "map_answer", "render", "script_facts", "texts_of"]

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(maps.__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def load_templates() -> None:
    """Compile all templates and read the texts of each language."""
    for name in _ENVIRONMENT.list_templates(extensions=["html"]):
        _ENVIRONMENT.get_template(name)
    for language in LANGUAGES:
        texts(language)


def language_of(request: Request) -> str:
    """The language asked for by the address, else by the cookie, else Chinese."""
    asked = request.query_params.get("lang") or request.cookies.get("lang")
    return asked if asked in LANGUAGES else "zh"


def texts_of(request: Request) -> Texts:
    """Texts in the reader's language."""
    return texts(language_of(request))


def render(request: Request, template: str, **values: Any) -> str:
    """Render a template with the texts, the language switch and the notice that all pages carry."""
    language = language_of(request)
    other = "en" if language == "zh" else "zh"
    settings = request.app.state.settings
    words = texts(language)

    return _ENVIRONMENT.get_template(template).render(
        _=words,
        lang=language,
        switch=f"{request.url.path}?{request.url.include_query_params(lang=other).query}",
        fictional=settings.county == DEMO_COUNTY,
        review_number=settings.review_number,
        role_name=role_name_in(language),
        who=getattr(request.state, "who", None),
        **values,
    )


def map_answer(page: MapPage) -> HTMLResponse:
    """A map as it is served: with its own policy, which knows its script."""
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})


def script_facts(facts: dict[str, Any]) -> Markup:
    """JSON for a script element of a page: nothing in it can end the element."""
    text = json.dumps(facts, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - made safe in this line
