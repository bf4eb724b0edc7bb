"""What a terminal is told: what would move its cursor or forge a line is shown, not sent.

Names, logins, addresses and messages come from strangers. A line of the output is one entry: a line
break within it would be another.
"""

from rich.console import Console

from data.visible import visible

__all__ = ["Terminal"]


class Terminal(Console):
    """Prints texts as they are: no markup, no emoji, and every control character escaped."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, stderr=stderr)

    def entry(self, text: str, style: str | None = None) -> None:
        """Print one entry, which may be longer than the terminal is wide."""
        self.print(visible(text), style=style, soft_wrap=True)

    def message(self, text: str, style: str | None = None) -> None:
        """Print a message; what follows its first line stands in from the edge."""
        lines = "\n  ".join(visible(line) for line in text.split("\n"))
        self.print(lines, style=style, soft_wrap=True)
