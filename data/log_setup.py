"""Where the log of a process goes: one form for its own events and for those of its libraries.

All records pass the same steps: the time, the level and the part are added, the number of the
request too; of an error only its kind and its places are kept (`data.reasons`). At the level
`debug` whole tracebacks follow, and with them whatever they quote.
"""

import logging
import sys
import threading
import time
import traceback
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, ProcessorReturnValue

from data.errors import StateError
from data.log import LOG, OWN
from data.log_file import SharedFileHandler
from data.log_lines import TRACEBACK, line_of, stamp
from data.outages import DATABASE
from data.queue_connector import QUEUE
from data.reasons import is_away, reason_of
from data.settings import Settings

__all__ = ["COMMAND", "begin_log", "mark_told"]

# The part of whoever runs a command: its output tells what it does.
COMMAND = "command"
# What a library says again and again is told so often, with how often it was.
_EVERY_S, _MOST_SAYINGS = 300.0, 200
_TOLD = "_onegrid_is_told"
# The part that works for the queue, what its libraries are called, and what the pool says of
# connections that are lost.
_UPLOADS, _OF_QUEUE = "uploads", ("procrastinate", "psycopg.pool")
_OF_POOL = ("error connecting in", "reconnection attempt in", "discarding ")


def begin_log(part: str, settings: Settings | None = None) -> None:
    """Send the records of this process where the settings say; calling it again is harmless.

    Parameters
    ----------
    part : str
        What the process is: ``web``, ``clock``, ``uploads``, ``house`` or `COMMAND`.

    Raises
    ------
    StateError
        If the log's file cannot be written.
    """
    chosen = settings or Settings()
    level = logging.getLevelName(chosen.log_level.upper())
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Stderr | SharedFileHandler)]:
        root.removeHandler(former)
        former.close()
    handlers: list[logging.Handler] = [_Stderr()]
    if part == COMMAND:
        handlers[0].setLevel(max(level, logging.WARNING))
    if chosen.log_file:
        handlers.append(_file(Path(chosen.log_file)))
    form = _form(part, as_json=chosen.log_format == "json", in_full=level <= logging.DEBUG)
    for handler in handlers:
        handler.setFormatter(form)
        handler.addFilter(_Libraries(in_full=level <= logging.DEBUG, is_queue=part == _UPLOADS))
        root.addHandler(handler)
    root.setLevel(level)
    if part != COMMAND:
        _tell_what_nobody_catches()


def mark_told(error: BaseException) -> None:
    """Note that an error was told of, before a library tells of it once more."""
    setattr(error, _TOLD, True)


def _file(path: Path) -> logging.Handler:
    try:
        return SharedFileHandler(path)
    except OSError as error:
        raise StateError(
            f"the log cannot be written to {path} ({error.strerror}): make its folder, or name "
            "another file in ONEGRID_LOG_FILE"
        ) from error


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what the standard error is now."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """The present stream."""
        return sys.stderr

    @stream.setter
    def stream(self, _: object) -> None:
        raise AttributeError("the standard error is set by Python itself")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own
        """Nobody reads it: whoever started the process has gone."""


class _Libraries(logging.Filter):
    """Of libraries' records keeps warnings, each kind once in a while."""

    def __init__(self, *, in_full: bool, is_queue: bool) -> None:
        super().__init__()
        self._in_full, self._is_queue = in_full, is_queue
        self._lock = threading.Lock()
        self._said: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told; one that was told lately is counted."""
        if record.name == OWN or self._in_full:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno < logging.WARNING or getattr(error, _TOLD, False):
            return False
        if record.name.startswith(_OF_QUEUE) and self._is_outage(record, error):
            return False
        key = (record.name, f"{record.msg}"[:80])
        now = time.monotonic()
        with self._lock:
            told_s, more = self._said.get(key, (-_EVERY_S, 0))
            if now - told_s < _EVERY_S:
                self._said[key] = told_s, more + 1
                return False
            self._said[key] = now, 0
            self._said.move_to_end(key)
            while len(self._said) > _MOST_SAYINGS:
                self._said.popitem(last=False)
        record.repeated = more
        return True

    def _is_outage(self, record: logging.LogRecord, error: BaseException | None) -> bool:
        """Whether the queue's library says that the database is away: counted, and not told again.

        The part that works for the queue tells of it itself; elsewhere whoever has asked does.
        """
        said = [error, *(record.args if isinstance(record.args, tuple) else ())]
        away = [one for one in said if isinstance(one, BaseException) and is_away(one)]
        if not away and not record.msg.startswith(_OF_POOL):
            return False
        if self._is_queue and away and not hasattr(record, _TOLD):
            DATABASE.failed(reason_of(away[0]), QUEUE)
            setattr(record, _TOLD, True)
        return True


def _form(part: str, *, as_json: bool, in_full: bool) -> logging.Formatter:
    def with_facts(_: logging.Logger, __: str, said: EventDict) -> EventDict:
        record: logging.LogRecord = said["_record"]
        facts: dict[str, Any] = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "part": part,
            "event": said["event"],
            "_record": record,
            "_from_structlog": False,
        }
        if record.name == OWN:
            structlog.stdlib.ExtraAdder()(_, "", facts)
            facts.pop("message", None)  # another handler's
        else:
            facts["logger"] = record.name
            if not in_full:  # what follows quotes what the library was given
                facts["event"] = f"{said['event']}".partition("\n")[0]
            if repeated := getattr(record, "repeated", 0):
                facts["repeated"] = repeated
        facts |= structlog.contextvars.get_contextvars()
        if error := said.get("exc_info"):
            facts |= _facts_of(error, in_full=in_full)
        return facts

    def as_line(_: Any, __: str, said: EventDict) -> ProcessorReturnValue:
        return line_of(said, as_json=as_json)

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[with_facts],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_line],
    )


def _facts_of(error: Any, *, in_full: bool) -> dict[str, str]:
    """What is told of an error that a record carries."""
    raised = error[1] if isinstance(error, tuple) else error
    if not isinstance(raised, BaseException):
        return {}
    facts = {"reason": reason_of(raised)}
    if in_full:
        facts[TRACEBACK] = "".join(traceback.format_exception(raised))
    return facts


def _tell_what_nobody_catches() -> None:
    """Send what ends the process or a thread, and Python's warnings, to the log too."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _process_ends
    threading.excepthook = _thread_ends


def _process_ends(
    kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    LOG.critical("the process ends by an error", exc_info=(kind, error, trace))


def _thread_ends(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        LOG.error("a thread ends by an error", exc_info=ended.exc_value)
