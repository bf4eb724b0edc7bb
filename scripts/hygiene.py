"""Refuse committed files that name a package registry or an absolute home path."""

import re
import subprocess
import sys
from pathlib import Path

# Written in pieces, so that this file does not refuse itself.
_FORBIDDEN = re.compile(
    "|".join(
        (
            r"registry\." + r"npmjs|files\.python" + r"hosted|pypi\." + r"org",
            r"deb\." + r"debian|cdn\." + r"jsdelivr|unpkg\." + r"com|cdnjs\." + r"cloudflare",
            r"fonts\." + r"googleapis|/home/" + r"[a-z]+/|/root" + r"/",
        )
    )
)


def main() -> int:
    """Return 1, naming file and line, where a tracked text file breaks the rule."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git of the developer's own PATH
        check=True,
        capture_output=True,
    ).stdout.split(b"\0")
    broken = 0
    for name in filter(None, tracked):
        path = Path(name.decode())
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if match := _FORBIDDEN.search(line):
                sys.stderr.write(f"{path}:{number}: names {match.group()!r}\n")
                broken = 1
    return broken


if __name__ == "__main__":
    raise SystemExit(main())
