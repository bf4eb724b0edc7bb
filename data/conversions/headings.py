"""Names of columns as they are told apart."""

from collections import Counter

__all__ = ["distinct", "second_name"]


def distinct(names: list[str]) -> list[str]:
    """Number headings that stand twice, so that no column hides another."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else _numbered(name, seen[name]))
    return distinct


def second_name(name: str) -> str:
    """What the second column of one name is called.

    Examples
    --------
    >>> second_name("lon") == distinct(["lon", "lon"])[1]
    True
    """
    return _numbered(name, 2)


def _numbered(name: str, number: int) -> str:
    return f"{name}.{number}"
