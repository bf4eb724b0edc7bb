"""``onegrid card``: what cards show, photos with consent, door signs of a grid."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import AsJson, County, county_or_default, emit, ready_database
from data.card_layouts import keep_photo, set_layout
from data.errors import SourceError
from data.importing.columns import LOCAL_ZONE
from data.pictures import STAFF_PIXELS, redrawn
from data.settings import Settings
from grids.book_loading import load_book
from grids.card_layout import load_layout
from grids.directory import load_directory
from maps.card_files import SIZES
from maps.door_signs import door_signs_page
from maps.paper import printed
from maps.texts import texts

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="The public contact card 网格服务联系卡: its layout, photos with consent, door signs.",
)


@app.command()
def layout(
    file: Annotated[
        Path | None, typer.Argument(help="Layout to keep, JSON; shown without one.", exists=True)
    ] = None,
    *,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Show what the county's cards show, or keep a layout of its own."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        if file is not None:
            set_layout(session, chosen, file.read_text(encoding="utf-8"))
        held = load_layout(session, chosen)
    lines = [f"roles: {', '.join(held.roles)}", f"services: {'、'.join(held.services_in('zh'))}"]
    lines += [f"hours: {held.hours}", f"supervision: {held.supervision_phone}"]
    shown = [name for name in ("private_phone", "photo") if getattr(held, f"shows_{name}")]
    lines.append(f"with consent: {', '.join(shown) or 'nothing'}")
    emit(asdict(held), lines, as_json=as_json)


@app.command()
def photo(
    person: Annotated[str, typer.Argument(help="Id in the staff list.")],
    file: Annotated[Path | None, typer.Argument(help="The photo; none takes it away.")] = None,
    *,
    consent: Annotated[
        datetime | None, typer.Option(help="Day of the person's consent.", formats=["%Y-%m-%d"])
    ] = None,
    county: County = None,
) -> None:
    """Keep the photo of a person who has agreed that cards show it, or take it away."""
    settings = Settings()
    if file is not None and not file.is_file():
        raise SourceError(f"no file {file}")
    content = (
        None
        if file is None
        else redrawn(file.read_bytes(), longest_side=240, most_pixels=STAFF_PIXELS)
    )
    said = None if consent is None or file is None else consent.replace(tzinfo=LOCAL_ZONE)
    with ready_database(settings).session() as session:
        keep_photo(session, county_or_default(settings, county), person, content, said)
    done = "taken away" if content is None else f"{len(content)} bytes kept"
    emit({"person": person, "bytes": len(content or b"")}, f"{person}: {done}", as_json=False)


@app.command()
def signs(
    grid: Annotated[str, typer.Argument(help="Code of the grid.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="PDF to write.")],
    url: Annotated[
        str, typer.Option(help="Where residents reach the server; ONEGRID_PUBLIC_URL by default.")
    ] = "",
    size: Annotated[str, typer.Option(help=f"Paper: {' or '.join(SIZES)}.")] = "a6",
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    county: County = None,
) -> None:
    """Print a sign for each known address of a grid, with a code that leads to its card."""
    settings = Settings()
    link = url or settings.public_url
    if not link:
        raise SourceError("say where residents reach the server: --url or ONEGRID_PUBLIC_URL")
    if size not in SIZES:
        raise typer.BadParameter(f"{size!r} is none of {', '.join(SIZES)}", param_hint="--size")
    with ready_database(settings).session() as session:
        directory = load_directory(session, county_or_default(settings, county))
        book = load_book(session, directory.places)
        page = door_signs_page(
            session,
            directory,
            book,
            grid,
            texts(lang),
            size=size,
            link=link,
            as_of=datetime.now(LOCAL_ZONE).date(),
            note=settings.review_number,
        )
    paper = printed(page)
    output.write_bytes(paper)
    emit({"file": str(output)}, f"{output}: {len(paper)} bytes", as_json=False)
