"""What stays of ``onegrid up``: a small process that starts the parts, and again when they end.

It takes the place of the command that has prepared everything (`become`), which holds what its work
needed. It loads nothing but the standard library: what it is for is to be there when the rest ends.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

from api.ends import when_again
from api.parts import Parts, end_when_told, program
from data.keeping import keeping
from data.pauses import Lives
from data.plain_log import PlainLog
from data.postmaster import postmaster_of

__all__ = ["House", "become", "main"]

_LOOK_S, _ASK_AGAIN_S = 0.2, 1.0
# How long the web server may take to answer on a machine that is busy.
_PATIENCE_S = 180.0
_ONEGRID = program("api.cli:main")


@dataclass(frozen=True, slots=True)
class House:
    """All that is started together.

    Attributes
    ----------
    commands : mapping of str to sequence of str
        The parts, as `Parts` takes them.
    address : str
        Where the web server says that it lives.
    ready : str
        Where it says that it has loaded what it answers from.
    told : sequence of str
        Lines to print once it lives.
    cluster : str
        Folder of the private cluster's data; ``""`` where the database is another's.
    is_ours : bool
        Whether the cluster was started for this, and is stopped with it.
    log_format, log_file : str
        Of the settings.
    """

    commands: Mapping[str, Sequence[str]]
    address: str
    ready: str
    told: Sequence[str]
    cluster: str = ""
    is_ours: bool = False
    log_format: str = "text"
    log_file: str = ""


def become(house: House) -> NoReturn:
    """Go on as the process that keeps the house; what this one holds is given back."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [*program("api.house:main"), json.dumps(asdict(house))]
    os.execv(command[0], command)  # noqa: S606 - our own program


def main() -> None:
    """Keep the house that the first argument describes, until it is told to end."""
    end_when_told()
    house = House(**json.loads(sys.argv[1]))
    log = PlainLog("house", house.log_format, house.log_file)
    log.info("the house is up", pid=os.getpid())
    status = 0
    with ExitStack() as ending:
        ending.callback(log.info, "the house has stopped", pid=os.getpid())
        if house.is_ours:
            ending.callback(_stop_cluster, log)
        if house.cluster:
            ending.enter_context(keeping(Path(house.cluster)))
        with suppress(KeyboardInterrupt), Parts(house.commands, log.warning) as parts:
            cluster = _Cluster(Path(house.cluster), log) if house.cluster else None
            try:
                status = _keep(house, parts, cluster)
            except KeyboardInterrupt:
                log.info("the house is told to end", pid=os.getpid())
                _print("\nstopping")
                raise
    sys.exit(status)


def _stop_cluster(log: PlainLog) -> None:
    """Stop PostgreSQL once nothing of this house asks it any more, unless another house does."""
    log.info("PostgreSQL is told to end")
    subprocess.run([*_ONEGRID, "db", "stop"], check=False)


def _keep(house: House, parts: Parts, cluster: "_Cluster | None") -> int:
    deadline, is_told, ask_ready_s = time.monotonic() + _PATIENCE_S, False, 0.0
    while True:
        parts.look()
        if cluster is not None:
            cluster.look()
        if not is_told and _answers(house.address):
            _print("\n".join(["", *house.told, ""]))
            is_told, ask_ready_s = True, time.monotonic()
        if ask_ready_s and time.monotonic() >= ask_ready_s:
            is_ready = _answers(house.ready)
            ask_ready_s = 0.0 if is_ready else time.monotonic() + _ASK_AGAIN_S
            if is_ready:
                _print("  ready: everything is loaded\n")
        if not is_told and time.monotonic() > deadline:
            _print(f"the web server does not answer at {house.address}")
            return 1
        time.sleep(_LOOK_S)


class _Cluster:
    """The private cluster, started again when its server has ended."""

    def __init__(self, folder: Path, log: PlainLog) -> None:
        self._folder, self._log = folder, log
        self._starter: subprocess.Popen[bytes] | None = None
        self._lives = Lives()
        self._is_up = True

    def look(self) -> None:
        """Start it where it is not there and its pause is over."""
        if self._starter is not None:
            status = self._starter.poll()
            if status is None:
                return
            self._starter = None
            if status:
                self._note_end(f"does not start (code {status})")
        if postmaster_of(self._folder) is not None:
            if not self._is_up:
                self._is_up = True
                self._lives.begin()
        elif self._is_up:
            self._is_up = False
            self._note_end("has ended")
        elif self._lives.is_due:
            # What ends before it is seen to live has not lived.
            self._is_up = True
            self._lives.begin()
            try:
                self._starter = subprocess.Popen([*_ONEGRID, "db", "start"])
            except OSError as error:  # no memory, or too many processes: later, perhaps
                self._note_end(f"does not start ({error.strerror})")

    def _note_end(self, how: str) -> None:
        self._is_up = False
        self._log.warning(f"PostgreSQL {how}: {when_again(self._lives.end())}")


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2):  # noqa: S310 - our own server
            return True
    except (URLError, OSError):
        return False


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
