"""The log of the private cluster's server is bounded."""

import os
import time
from pathlib import Path

import pytest

from data import cluster_log
from data.cluster_log import ClusterLog


def test_the_oldest_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ClusterLog(tmp_path)
    log.folder.mkdir()
    for day in range(1, 41):
        (log.folder / f"cluster-2026-10-{day:02}_000000.log").write_text("x" * 100)
    assert log.trim() == 10
    assert log.files[1].name == "cluster-2026-10-11_000000.log"
    monkeypatch.setattr(cluster_log, "_MOST_BYTES", 250)
    assert log.trim() == 28
    monkeypatch.setattr(cluster_log, "_MOST_BYTES", 10)
    log.trim()
    assert [path.name for path in log.files] == ["cluster.log", "cluster-2026-10-40_000000.log"]


def test_what_is_said_at_the_start_is_bounded_too(tmp_path: Path) -> None:
    log = ClusterLog(tmp_path)
    assert log.trim() == 0
    log.first.write_bytes(b"x" * 2**21)
    log.trim()
    assert log.first.read_bytes() == b""


def test_the_tail_is_what_was_said_since(tmp_path: Path) -> None:
    log, now_s = ClusterLog(tmp_path), time.time()
    log.folder.mkdir()
    log.first.write_text("".join(f"line {number}\n" for number in range(5000)))
    old, new = log.folder / "cluster-1.log", log.folder / "cluster-2.log"
    old.write_text("old\n")
    os.utime(old, (now_s - 100, now_s - 100))
    new.write_text("FATAL: it does not start\n")
    lines = log.tail(now_s - 10).splitlines()
    assert lines == [
        *(f"line {number}" for number in range(4992, 5000)),
        "FATAL: it does not start",
    ]
    assert "unreadable" in ClusterLog(tmp_path / "absent").tail(0)
