"""What did not fit in a plan drawn elsewhere, in a reader's words."""

from grids.redraw import Issue
from maps.texts import Texts

__all__ = ["issue_words"]


def issue_words(issue: Issue, words: Texts) -> str:
    """One line: what, whose, how large, and what was done about it."""
    parts = [words(f"issue {issue.kind}"), "、".join(issue.drawn)]
    if issue.area_m2 >= 1:
        parts.append(f"{issue.area_m2:,.0f} m²")
    return " · ".join([*filter(None, parts), words(issue.done)])
