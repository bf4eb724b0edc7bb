"""Asking a server of this machine with wrk, and reading what it says."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["asked_by_wrk", "require_wrk"]


def require_wrk() -> None:
    """End the benchmark where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")


def asked_by_wrk(
    script: str, port: int, seconds: int, folder: Path, *, connections: int = 16
) -> dict[str, Any]:
    """Requests a second and latency of one server; every answer must be 2xx.

    Parameters
    ----------
    script : str
        Lua, with a ``request`` function.
    """
    path = folder / "requests.lua"
    path.write_text(script, "utf-8")
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(path)]
    command = [shutil.which("wrk") or "wrk", *options, f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"answers failed: {done.stdout}")
    return {
        "per_second": float(re.findall(r"Requests/sec:\s*([\d.]+)", done.stdout)[0]),
        "p50_ms": _ms(re.findall(r"(?m)^\s+50%\s+(\S+)", done.stdout)[0]),
        "p99_ms": _ms(re.findall(r"(?m)^\s+99%\s+(\S+)", done.stdout)[0]),
    }


def _ms(text: str) -> float:
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)
