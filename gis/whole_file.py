"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write within the block, which takes its place at the end.

    A reader sees the old file or the whole new one. Several processes may write the same at once:
    each writes a file of its own.
    """
    with NamedTemporaryFile(
        dir=path.parent, prefix=path.name, suffix=".part", delete=False
    ) as file:
        partial = Path(file.name)
        try:
            yield file
        except BaseException:
            partial.unlink()
            raise
    partial.chmod(0o644)
    partial.replace(path)
