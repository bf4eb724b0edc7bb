"""What a process keeps in memory to answer: the directory of the county and its road network.

The database tells of every commit that changes a directory; a new one is then made beside the
old and takes its place in one assignment, so no answer mixes the two.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from api.books import Books
from api.health import NOT_LOOKED_AT, Part
from api.listening import Listener
from data.background import Background, Rounds
from data.database import Database
from data.errors import StateError, UnplannedError
from data.log import LOG
from data.memory import held_for_long
from data.presets import ALL_COUNTIES
from data.settings import Settings
from grids.address_book import AddressBook
from grids.book_making import Apart, by_program
from grids.directory import DirectoryVersion, directory_version, load_directory
from grids.places import Places
from grids.who import Directory
from routing.errors import NetworkError
from routing.live import LiveRoads

__all__ = ["Engines"]

# How long the roads of the largest county may take to load on a busy machine.
_LOADING_S = 600.0
# How often one looks who waits for the first plan and book.
_LOOK_S = 0.05
# Directories of former generations that are kept for answers as of then.
_FORMER = 2


class Engines:
    """Directory and road network of a county, loaded once and again when they change."""

    def __init__(self, settings: Settings, database: Database, apart: Apart = by_program) -> None:
        self._county = settings.county
        self._networks, self._locators = settings.networks_dir, settings.locators_dir
        self._database = database
        self._held: tuple[DirectoryVersion, Directory] | None = None
        # Whether it is known that there is none, which is another thing than not having looked.
        self._has_no_plan = self._has_no_roads = False
        self._former: OrderedDict[int, tuple[DirectoryVersion, Directory]] = OrderedDict()
        self._roads: dict[str, LiveRoads] = {}
        self._loading = threading.Lock()
        # What was told before we listened is caught up with first.
        self.listener = Listener("directory", database, self._hear, self._catch_up)
        self.warming = Background("roads", self._warm, silent_s=_LOADING_S)
        self._books = Books(settings.county, database, self._places, settings.locators_dir, apart)

    @property
    def is_silent(self) -> bool:
        """Whether the database takes what is asked and does not answer."""
        return self._database.silence.is_on

    def ready(self) -> Directory | None:
        """The directory of now without asking the database; None where it must be asked.

        It is trusted while the database tells of changes and its generation holds.
        """
        held = self._held
        if held is None or not self.listener.is_heard or not held[1].holds(datetime.now(UTC)):
            return None
        return held[1]

    def remembered(self, moment: datetime) -> Directory | None:
        """The last directory that was known, while its generation holds."""
        held = self._held
        return held[1] if held is not None and held[1].holds(moment) else None

    def remembered_book(self, directory: Directory) -> AddressBook | None:
        """The address book with a directory's places, where one is loaded."""
        return self._books.remembered(directory.places)

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

    def settle(self, patience_s: float) -> None:
        """Wait, but not for longer, until the first plan and book are there or no plan is."""
        deadline = time.monotonic() + patience_s
        while not self._is_settled and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    @property
    def threads(self) -> list[Background]:
        """What works in the background."""
        return [self.listener.thread, self.warming, self._books.follower]

    def parts(self) -> list[Part]:
        """How plan, roads and addresses are."""
        # A county that has no roads answers without; one whose roads do not load would wait.
        is_waited_for = not self.warming.state.is_well
        return [
            Part("plan", self._held is not None, True, self._how_the_plan_is()),
            Part("roads", self._are_roads_loaded, is_waited_for, self._how_the_roads_are()),
            Part("addresses", self._books.is_loaded, True, self._how_the_addresses_are()),
        ]

    @property
    def _is_settled(self) -> bool:
        return self._has_no_plan or (self._held is not None and self._books.is_loaded)

    @property
    def _are_roads_loaded(self) -> bool:
        roads = self._roads.get(self._county)
        return roads is not None and roads.is_loaded

    def _how_the_plan_is(self) -> str:
        if self._held is not None:
            is_heard = self.listener.is_heard
            return "" if is_heard else "changes are not heard of: asked for each time"
        return "none is published" if self._has_no_plan else NOT_LOOKED_AT

    def _how_the_roads_are(self) -> str:
        if self._are_roads_loaded:
            return ""
        if self._has_no_roads:
            return "none that can be read at the start: looked for again when asked for"
        return _how_it_loads(self.warming)

    def _how_the_addresses_are(self) -> str:
        if self._books.is_loaded:
            return ""
        if self._held is None:
            return "not loaded: no plan is published" if self._has_no_plan else NOT_LOOKED_AT
        return _how_it_loads(self._books.follower)

    def start(self) -> None:
        """Begin to listen for changes, and load the roads before somebody waits for them."""
        self._books.start()
        self.listener.start()
        self.warming.start()

    def stop(self) -> None:
        """End listening."""
        self.listener.stop()
        self.warming.stop()
        self._books.stop()

    def _warm(self, _rounds: Rounds) -> None:
        """Load the roads; whoever needs them before waits."""
        try:
            with self._database.session() as session:
                self.roads(self._county).now(session)
        except NetworkError:
            self._has_no_roads = True
            # The request that needs them says it, to whom it concerns.
            LOG.info("there are no roads yet", county=self._county)

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

    def _places(self, session: Session) -> Places:
        return self.directory(session).places

    def _hear(self, counties: Sequence[str]) -> None:
        if {self._county, ALL_COUNTIES} & set(counties):
            self._catch_up()

    def _catch_up(self) -> None:
        try:
            self.refreshed()
            self._has_no_plan = False
        except UnplannedError:  # requests say so themselves
            self._held, self._has_no_plan = None, True
            LOG.info("no plan is published yet", county=self._county)
        self._books.changed()


def _how_it_loads(thread: Background) -> str:
    """How what a thread loads is, while it is not there yet."""
    if not thread.is_running:
        return NOT_LOOKED_AT
    if thread.state.failing:
        return "loading fails and is tried again"
    return "loading hangs" if thread.state.is_stuck else "being loaded"
