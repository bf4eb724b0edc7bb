"""The address book of a process: loaded once, and again beside the old one when it changes."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from api.admission import BusyError
from data.background import Background, Rounds
from data.database import Database
from data.errors import StateError, UnplannedError
from grids.address_book import AddressBook, renewed_book
from grids.book_file import kept_book, latest_book
from grids.book_loading import address_count, book_version, load_book
from grids.book_making import Apart, by_program, make_apart
from grids.places import Places

__all__ = ["Books"]

# How long a request waits for the first book, how long the largest may take on a busy machine,
# and how soon the thread looks again where nobody has told it anything.
_PATIENCE_S, _LOADING_S, _LOOK_S = 2.0, 1200.0, 10.0
# From so many addresses on a book is made apart: to begin a process takes longer than a small one.
_LOADING = "the addresses are being loaded: try again in a moment"
_LARGE = 30_000


class Books:
    """Holds the county's address book.

    Parameters
    ----------
    places : callable
        The places of the present plan, by a session.
    folder : Path
        Where books are kept for all processes of this machine.
    apart : callable, optional
        How a large book is made by another process.

    Notes
    -----
    Grids of an answer are always those of the plan that is asked with; addresses that were
    imported a moment ago follow when the new book has been made.
    """

    def __init__(
        self,
        county: str,
        database: Database,
        places: Callable[[Session], Places],
        folder: Path,
        apart: Apart = by_program,
    ) -> None:
        self._county, self._database, self._places = county, database, places
        self._folder, self._apart = folder, apart
        self._held: AddressBook | None = None
        self._loading = threading.Lock()
        self._is_due = False
        self.follower = Background("addresses", self._follow, silent_s=_LOADING_S)

    @property
    def is_loaded(self) -> bool:
        """Whether nobody waits for the first book."""
        return self._held is not None

    def ready(self, places: Places) -> AddressBook | None:
        """The book of a plan, without asking the database; None where it must be loaded."""
        held = self._held
        return held if held is not None and held.places is places else None

    def remembered(self, places: Places) -> AddressBook | None:
        """The addresses that are held, with these places; None where none are held."""
        held = self._held
        if held is None or held.places is places or not self._loading.acquire(timeout=_PATIENCE_S):
            return self.ready(places)
        try:
            self._held = held = self._with_places(self._held or held, places)
        finally:
            self._loading.release()
        return held

    def book(self, session: Session, places: Places) -> AddressBook:
        """The book of a plan; where nothing tells of changes, asked for whether it is new.

        Raises
        ------
        BusyError
            If the first book is still being loaded: a million addresses take a while.
        """
        held = self.ready(places)
        if held is not None and self._follows():
            return held
        if not self._loading.acquire(timeout=_PATIENCE_S):
            raise BusyError(_LOADING)
        try:
            held = self._held
            if held is None or (not self._follows() and held.version != self._version(session)):
                held = self._loaded(session, places)
                if held is None and self._follows():
                    self.changed()
                    raise BusyError(_LOADING)
                held = held or load_book(session, places)
            self._held = held = self._with_places(held, places)
        finally:
            self._loading.release()
        return held

    def _with_places(self, held: AddressBook, places: Places) -> AddressBook:
        """A book with the places of another plan; the lock is held."""
        if held.places is not places:
            held = renewed_book(held, places)
            # Which footprints straddle the new grids is measured beside.
            self.changed()
        return held

    def changed(self) -> None:
        """Something that a book holds may have changed: look, and load it beside the old one."""
        self._is_due = True
        self.follower.wake()

    def start(self) -> None:
        """Begin to follow what `changed` tells."""
        self.follower.start()

    def stop(self) -> None:
        """End following."""
        self.follower.stop(timeout_s=30.0)

    def _follows(self) -> bool:
        return self.follower.is_running

    def _version(self, session: Session) -> str:
        return book_version(session, self._county)

    def _loaded(self, session: Session, places: Places) -> AddressBook | None:
        """The book as it is kept; a small one is made here; None where it must be made apart."""
        book = kept_book(self._folder, self._version(session), places)
        if book is None and address_count(session, self._county, _LARGE) < _LARGE:
            return load_book(session, places)
        return book

    def _made(self, rounds: Rounds) -> AddressBook:
        """The book of now, made by another process where it is not kept yet.

        Where addresses change faster than it is made it is of a moment ago.
        """
        with self._database.session() as session:
            book = self._loaded(session, self._places(session))
        if book is not None:
            return book
        # No connection waits for it.
        make_apart(
            self._database,
            self._county,
            datetime.now(UTC),
            self._folder,
            until=lambda: rounds.is_over,
            apart=self._apart,
        )
        with self._database.session() as session:
            places = self._places(session)
            book = self._loaded(session, places) or latest_book(self._folder, places)
        if book is None:
            raise StateError("addresses or plan have changed while the book was made")
        return book

    def _follow(self, rounds: Rounds) -> None:
        while not rounds.is_over:
            if self._is_due:
                self._is_due = False
                try:
                    self._renew(rounds)
                except UnplannedError:
                    self._held = None  # nothing is published yet: requests say so themselves
                except Exception:
                    self._is_due = True  # until then requests go on with the book that there is
                    raise
                rounds.done()
            rounds.wait(_LOOK_S)

    def _renew(self, rounds: Rounds) -> None:
        if self._held is None:
            with self._loading:
                self._held = self._held or self._made(rounds)
            return
        with self._database.session() as session:
            held, places = self._held, self._places(session)
            same = held.version == self._version(session)
            if same and held.is_measured and held.places is places:
                return
            made = renewed_book(held, places) if same and held.is_measured else None
        if made is None or not made.is_measured:
            made = self._made(rounds)
        with self._loading:
            self._held = made
