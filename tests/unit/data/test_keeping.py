"""Who keeps a cluster is seen by others for as long as it lives."""

import os
import subprocess
import sys
from pathlib import Path

from data.keeping import keeper_of, keeping

ASK = "import sys; from pathlib import Path; from data.keeping import *; "
ASK += "print(keeper_of(Path(sys.argv[1])))"


def seen_by_another(data_dir: Path) -> str:
    command = [sys.executable, "-c", ASK, str(data_dir)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_seen_within_the_block_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "cluster"
    assert seen_by_another(data_dir) == "None"
    with keeping(data_dir):
        assert seen_by_another(data_dir) == str(os.getpid())
    assert seen_by_another(data_dir) == "None"


def test_where_it_cannot_be_noted_it_is_kept_all_the_same(tmp_path: Path) -> None:
    with keeping(tmp_path / "nowhere" / "cluster"):
        assert keeper_of(tmp_path / "nowhere" / "cluster") is None
