"""The log of the small process that keeps the others running: the same lines, by little code."""

import sys
import time
from pathlib import Path
from typing import Any

from data.log_lines import line_of, stamp

__all__ = ["PlainLog"]


class PlainLog:
    """Writes lines to the standard error, and to the log's file where there is one.

    Parameters
    ----------
    part : str
    form : str
        ``text`` or ``json``.
    path : str
        The file; ``""`` for none.
    """

    def __init__(self, part: str, form: str, path: str = "") -> None:
        self._part, self._as_json, self._path = part, form == "json", path

    def info(self, event: str, **facts: Any) -> None:
        """Tell of something that happens as it should."""
        self._tell("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Tell of something that somebody should know."""
        self._tell("warning", event, facts)

    def _tell(self, level: str, event: str, facts: dict[str, Any]) -> None:
        head = {"time": stamp(time.time()), "level": level, "part": self._part, "event": event}
        line = line_of(head | facts, as_json=self._as_json)
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        if self._path:
            _append(Path(self._path), line)


def _append(path: Path, line: str) -> None:
    # Few lines are written here, mostly to no file: what writes one is loaded when it is needed.
    import logging  # noqa: PLC0415

    from data.log_file import SharedFileHandler  # noqa: PLC0415

    handler = SharedFileHandler(path)
    handler.emit(logging.makeLogRecord({"msg": line}))
    handler.close()
