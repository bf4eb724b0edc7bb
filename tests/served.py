"""A web server over a database of the suite, in a process of its own."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from data.database import Database
from tests.conftest import ROOT, free_port


@dataclass
class Served:
    """A web server of its own process that can be killed and started again."""

    database: Database
    home: Path
    county: str
    port: int = field(default_factory=free_port)
    program: subprocess.Popen | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, trusted: str = "127.0.0.0/8") -> None:
        environment = os.environ | {
            "ONEGRID_HOME": str(self.home),
            "ONEGRID_DATABASE_URL": self.database.engine.url.render_as_string(),
            "ONEGRID_COUNTY": self.county,
            "ONEGRID_TRUSTED_NETWORKS": trusted,
        }
        code = "from api.cli import main; main()"
        command = [sys.executable, "-c", code, "serve", "--port", str(self.port)]
        self.program = subprocess.Popen(command, cwd=ROOT, env=environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urlopen(f"{self.base}/healthz", timeout=2).close()  # noqa: S310 - our own server
            except OSError:
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        self.program.kill()
        self.program.wait(timeout=20)

    def stop(self) -> None:
        self.program.terminate()
        self.program.wait(timeout=20)
        self.database.engine.dispose()
