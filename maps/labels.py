"""Words on a map: tooltips, pop-ups and legends as lines of plain text.

folium pastes what it is given into markup and into JavaScript between backticks. Nothing that
somebody has typed goes that way: it travels as JSON, and `static/map.js` builds elements of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import folium
from branca.element import MacroElement
from folium.template import Template
from folium.utilities import JsCode
from markupsafe import escape

from maps.texts import Texts

__all__ = ["LABELLED", "Legend", "Line", "Tip", "labels", "layer"]

# What a GeoJson layer does with each feature: binds what its properties say (see `labels`).
LABELLED = JsCode("OneGrid.label")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Attributes
    ----------
    mark : str
        A sign before the text: ``box``, ``dot`` or ``way``, in `colour` with an `edge`.
    href : str
        Address of this host that the text leads to.
    """

    text: str
    style: Literal["", "strong", "note"] = ""
    href: str = ""
    mark: Literal["", "box", "dot", "way"] = ""
    colour: str = ""
    edge: str = ""


def labels(tip: Sequence[Line], popup: Sequence[Line] = ()) -> dict[str, Any]:
    """Properties of a feature of a layer that is `LABELLED`."""
    said = {"tip": [_plain(line) for line in tip]}
    return said | ({"popup": [_plain(line) for line in popup]} if popup else {})


def _plain(line: Line) -> dict[str, str]:
    return {name: value for name, value in asdict(line).items() if value}


class Tip(MacroElement):  # type: ignore[misc]  # folium carries no types
    """The tooltip, and the pop-up if there is one, of a marker or a line."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        OneGrid.say({{ this._parent.get_name() }}, {{ this.said | tojavascript }});
        {% endmacro %}
        """
    )

    def __init__(self, tip: Sequence[Line], popup: Sequence[Line] = ()) -> None:
        super().__init__()
        self._name, self.said = "Tip", labels(tip, popup)


class Legend(MacroElement):  # type: ignore[misc]  # same
    """Legend, scale and zoom buttons in the reader's language."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        OneGrid.legend({{ this._parent.get_name() }}, {{ this.lines | tojavascript }},
            {{ this.zoom | tojavascript }});
        {% endmacro %}
        """
    )

    def __init__(self, lines: Sequence[Line], texts: Texts) -> None:
        super().__init__()
        self._name, self.lines = "Legend", [_plain(line) for line in lines]
        self.zoom = {"zoomInTitle": texts("Zoom in"), "zoomOutTitle": texts("Zoom out")}


def layer(view: folium.Map, name: str, *, show: bool = True) -> folium.FeatureGroup:
    """A layer that the reader can switch; Leaflet takes the name for markup."""
    return folium.FeatureGroup(name=str(escape(name)), show=show).add_to(view)
