"""A thread that asks the database every few seconds whether it is there.

A server that hangs goes on to take what is sent to it, and ends nothing: whoever waits for it waits
until it is asked beside them, and their connections are cut (`data.silence`).
"""

import threading
from functools import partial

from sqlalchemy import text

from data.background import Background, Rounds
from data.database import Database

__all__ = ["asker"]

_EVERY_S, _SILENT_S = 5.0, 10.0
_ASK = text("SELECT 1")


def asker(database: Database) -> Background:
    """The thread; what it finds is told as an outage by itself and by whoever is cut."""
    return Background("database", partial(_ask_on, database))


def _ask_on(database: Database, rounds: Rounds) -> None:
    rounds.repeat(partial(_ask, database), _EVERY_S)


def _ask(database: Database) -> None:
    patience = threading.Timer(_SILENT_S, database.silence.begin)
    patience.daemon = True
    patience.start()
    try:
        with database.engine.connect() as connection:
            connection.execute(_ASK)
    finally:
        patience.cancel()
    database.silence.end()
