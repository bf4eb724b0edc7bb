"""The door signs of a grid: one for each of its known addresses."""

from datetime import date

from sqlalchemy.orm import Session

from data.door_signs import signs_of
from data.errors import NotFoundError
from data.roles import role_name_in
from grids.address_book import AddressBook
from grids.card import card_at
from grids.who import Directory
from maps.card_files import PrintedCard, cards_page
from maps.texts import Texts

__all__ = ["door_signs_page"]


def door_signs_page(
    session: Session,
    directory: Directory,
    book: AddressBook,
    grid: str,
    words: Texts,
    *,
    size: str,
    link: str,
    as_of: date,
    note: str = "",
) -> str:
    """The page of a sign for each known address of a grid; addresses that several share get none.

    Parameters
    ----------
    grid : str
        Its code.
    size : str
        One of `maps.card_files.SIZES`.
    link : str
        Where residents reach the server.

    Raises
    ------
    NotFoundError
        If no address is known in the grid.
    """
    rows = book.rows_of_grid(grid).tolist()
    if not rows:
        raise NotFoundError(f"no address is known in grid {grid}")
    tokens = signs_of(session, directory.places.county, [int(book.ids[row]) for row in rows])
    cards = []
    for row in rows:
        address = book.table.text(row)
        card = card_at(directory, *book.place(row), address=address)
        if card is not None:
            leads_to = f"{link.rstrip('/')}/d/{tokens[int(book.ids[row])]}"
            cards.append(PrintedCard(card, leads_to, address))
    return cards_page(cards, size, words, role_name_in(words.language), as_of=as_of, note=note)
