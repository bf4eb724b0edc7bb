"""Attack: reading in the log who reported what, and who can be reached where.

Names, telephones and words are planted in whatever a program is given, and everything fails.
"""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from data.database import Database
from tests.conftest import ROOT
from tests.telling import NAME, PHONE, WORDS


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_tells_what_was_being_worked_on(
    database: Database, tmp_path: Path, form: str
) -> None:
    log = tmp_path / "log"
    environment = os.environ | {
        "ONEGRID_HOME": str(tmp_path / "home"),
        "ONEGRID_DATABASE_URL": database.engine.url.render_as_string(),
        "ONEGRID_PUBLIC_URL": "http://localhost",
        "ONEGRID_LOG_FILE": str(log),
        "ONEGRID_LOG_FORMAT": form,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.telling", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
    )
    said = done.stdout + done.stderr + log.read_bytes()
    assert done.returncode == 1
    for event in (
        b"a request fails unexpectedly",
        b"a job has ended",
        b"notices are not taken",
        b"a background thread fails",
        b"a thread ends by an error",
        b"Task exception was never retrieved",
        b"logger=procrastinate" if form == "text" else b'"procrastinate.worker"',
        b"the process ends by an error",
        b"PlantedError",
    ):
        assert event in said, said.decode()
    # In the file and on the standard error, for each statement that is no fault of the request's.
    assert said.count(b"a request fails unexpectedly") >= 8
    for secret in (NAME, PHONE, WORDS):
        for spelling in (secret, quote(secret), ascii(secret)[1:-1]):
            assert spelling.encode() not in said, said.decode()
    assert b"Traceback" not in said
    assert len(said.splitlines()) < 100
