"""Names of columns as they are told apart."""

from collections import Counter

__all__ = ["distinct"]


def distinct(names: list[str]) -> list[str]:
    """Number headings that stand twice, so that no column hides another."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return distinct
