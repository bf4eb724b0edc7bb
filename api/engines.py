"""What a process keeps in memory to answer: the directory of the county and its road network.

The database tells of every commit that changes a directory; a new one is then made beside the
old and takes its place in one assignment, so no answer mixes the two.
"""

import logging
import threading
from collections import OrderedDict
from datetime import UTC, datetime

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.books import Books
from data.database import Database
from data.errors import StateError
from data.memory import held_for_long
from data.presets import ALL_COUNTIES
from data.settings import Settings
from grids.address_book import AddressBook
from grids.directory import DirectoryVersion, directory_version, load_directory
from grids.who import Directory
from routing.errors import NetworkError
from routing.live import LiveRoads

__all__ = ["Engines"]

_LOG = logging.getLogger("onegrid")
_RETRY_S = 1.0
# How soon a stop is noticed where nothing is told.
_WAIT_S = 0.5
# Directories of former generations that are kept for answers as of then.
_FORMER = 2
# A connection that died without a word is noticed after about half a minute.
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5}


class Engines:
    """Directory and road network of a county, loaded once and again when they change."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._county = settings.county
        self._networks, self._locators = settings.networks_dir, settings.locators_dir
        self._database = database
        self._held: tuple[DirectoryVersion, Directory] | None = None
        self._former: OrderedDict[int, tuple[DirectoryVersion, Directory]] = OrderedDict()
        self._roads: dict[str, LiveRoads] = {}
        self._loading = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listening = False
        self._books = Books(settings.county, database, lambda s: self.directory(s).places)

    def ready(self) -> Directory | None:
        """The directory of now without asking the database; None where it must be asked.

        It is trusted while the database tells of changes and its generation holds.
        """
        held = self._held
        if held is None or not self._listening or not held[1].holds(datetime.now(UTC)):
            return None
        return held[1]

    def refreshed(self) -> Directory:
        """The directory of now, asked for in a session of its own."""
        with self._database.session() as session:
            return self.directory(session)

    def directory(self, session: Session, at: datetime | None = None) -> Directory:
        """The directory of now, or of the generation that held at another time.

        Raises
        ------
        StateError
            If no plan was published then.
        """
        moment = at or datetime.now(UTC)
        version = directory_version(session, self._county, moment)
        held = self._held
        if held is not None and held[0] == version:
            return held[1]
        with self._loading:
            if self._held is not None and self._held[0] == version:
                return self._held[1]
            if at is not None and not self._is_current(session, version):
                return self._as_of(session, version, moment)
            made = self._load(session, moment, self._held)
            if self._held is None:
                held_for_long()
            self._held = version, made
        return made

    def book(self, session: Session) -> AddressBook:
        """The county's address book, with the grids of now.

        Raises
        ------
        StateError
            If no plan is published.
        """
        return self._books.book(session, self.directory(session).places)

    def ready_book(self) -> tuple[Directory, AddressBook] | None:
        """Directory and address book of now without asking the database, as `ready`."""
        directory = self.ready()
        book = self._books.ready(directory.places) if directory else None
        return None if directory is None or book is None else (directory, book)

    def roads(self, county: str) -> LiveRoads:
        """The county's roads; they follow the database and the network's file by themselves."""
        made = LiveRoads(self._networks / f"{county}.arrow", county)
        return self._roads.setdefault(county, made)

    def start(self) -> None:
        """Begin to listen for changes, and load the roads before somebody waits for them."""
        self._stop.clear()
        self._books.start()
        for work, name in ((self._listen, "directory"), (self._warm, "roads")):
            self._threads.append(threading.Thread(target=work, daemon=True, name=name))
            self._threads[-1].start()

    def stop(self) -> None:
        """End listening."""
        self._stop.set()
        while self._threads:
            self._threads.pop().join(timeout=5)
        self._listening = False
        self._books.stop()

    def _warm(self) -> None:
        """Load the roads; whoever needs them before waits."""
        try:
            with self._database.session() as session:
                self.roads(self._county).now(session)
        except (NetworkError, OperationalError) as error:
            # The request that needs them says it, to whom it concerns.
            _LOG.info("the roads are not loaded yet: %s", error)

    def _load(
        self,
        session: Session,
        moment: datetime,
        held: tuple[DirectoryVersion, Directory] | None,
        *,
        kept: bool = True,
    ) -> Directory:
        folder = self._locators if kept else None
        return load_directory(session, self._county, moment, folder=folder, held=held)

    def _is_current(self, session: Session, version: DirectoryVersion) -> bool:
        try:
            now = directory_version(session, self._county, datetime.now(UTC))
        except StateError:
            return False
        return now.generation == version.generation

    def _as_of(self, session: Session, version: DirectoryVersion, moment: datetime) -> Directory:
        held = self._former.get(version.generation)
        if held is None or held[0] != version:
            made = self._load(session, moment, None, kept=False)
            held = self._former[version.generation] = version, made
            while len(self._former) > _FORMER:
                self._former.popitem(last=False)
        return held[1]

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except Exception:  # noqa: BLE001 - the thread goes on, and requests ask meanwhile
                self._listening = False
                _LOG.exception("not told of changes, asking at each request")
                self._stop.wait(_RETRY_S)

    def _follow(self) -> None:
        conninfo = self._database.conninfo
        with psycopg.connect(conninfo, autocommit=True, **_KEEPALIVE) as connection:  # type: ignore[arg-type]
            connection.execute("LISTEN directory")
            # What was told before we listened is caught up with first.
            self._catch_up()
            self._listening = True
            while not self._stop.is_set():
                told = {note.payload for note in connection.notifies(timeout=_WAIT_S, stop_after=1)}
                if told & {self._county, ALL_COUNTIES}:
                    self._catch_up()

    def _catch_up(self) -> None:
        try:
            self.refreshed()
        except StateError:  # nothing is published yet: requests say so themselves
            self._held = None
        self._books.changed()
