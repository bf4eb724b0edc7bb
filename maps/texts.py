"""Texts of pages and maps: English in the source, Chinese from a Babel catalogue.

Keys that scripts put together (``rule contiguous``) have their English in a catalogue too.
"""

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

__all__ = ["LANGUAGES", "Texts", "texts"]

LANGUAGES = ("zh", "en")


class Texts:
    """Looks texts up in one language; an unknown text stays as it is."""

    def __init__(self, language: str, catalogue: dict[str, str]) -> None:
        self.language = language
        self._catalogue = catalogue

    @property
    def catalogue(self) -> dict[str, str]:
        """All texts of the language, for a page's scripts."""
        return dict(self._catalogue)

    def __call__(self, message: str) -> str:
        """Return a text in this language."""
        return self._catalogue.get(message, message)


@cache
def texts(language: str) -> Texts:
    """Texts of a language; Chinese for one that is not there."""
    known = language if language in LANGUAGES else "zh"
    path = Path(__file__).parent / "locale" / known / "onegrid.po"
    with path.open("rb") as handle:
        catalogue = read_po(handle, locale=known)
    return Texts(known, {str(m.id): str(m.string) for m in catalogue if m.id and m.string})
