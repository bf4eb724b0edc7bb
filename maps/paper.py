"""Pages on paper: HTML as PDF, printed in a process of its own."""

from data.sandbox import PAPER, convert

__all__ = ["printed"]


def printed(page: str) -> bytes:
    """Print a page, in the machine's own fonts; whatever it links to is not fetched.

    Raises
    ------
    ConversionError
        If it takes too much time or memory.
    """
    return convert("paper", page.encode(), limits=PAPER)
