"""What a map's elements say is text: branca would run it as a template once more.

`branca.element.MacroElement.render` puts what an element's own template has made into the page as
``Element(text)``, which takes the text for a template and runs it. A grid called
``{{ lipsum.__globals__.os.popen(…) }}`` ran a program on the server, a pond called ``{{`` ended the
residents' map. No subclass can prevent it: all of folium's elements come that way.
"""

from typing import Any

import branca.element

__all__ = ["take_text_as_it_stands"]


class _Verbatim:
    """A text in the place of a template: it is rendered as it stands."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **_: Any) -> str:
        return self._text


def take_text_as_it_stands() -> None:
    """Let branca, in this process, put texts into pages without running them.

    Templates of classes were compiled when their modules were loaded; the name that is replaced
    is looked up for what is made later, out of what people have written.

    Raises
    ------
    ImportError
        If another version of branca runs them all the same: no map is drawn then.
    """
    branca.element.Template = _Verbatim
    if branca.element.Element(_SAMPLE).render() != _SAMPLE:
        raise ImportError("this branca runs what people write as templates: see maps.verbatim")


_SAMPLE = "{{ 1 }}{%"
