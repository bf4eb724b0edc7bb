"""The command line in this process, against the demonstration city."""

import os
import sys
from pathlib import Path

import pytest

from api.cli import main
from data.settings import Settings


@pytest.fixture
def onegrid(city_settings: Settings, tmp_path: Path, monkeypatch, capfd):
    """Run a command in this process; a traceback would be an exception here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEGRID_HOME", str(city_settings.home))
    monkeypatch.setenv("ONEGRID_DATABASE_URL", str(city_settings.database_url))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["onegrid", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert (ended.value.code or 0) == code, (words, said)
        return said.out + said.err

    umask = os.umask(0o022)
    yield run
    os.umask(umask)  # a command leaves it narrow
