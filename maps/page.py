"""A map as an HTML page, with the content policy that lets its own script run and no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import folium
from folium.template import Template
from markupsafe import escape

from maps.assets import inlined_assets, linked_assets
from maps.content_policy import file_policy, page_policy
from maps.texts import Texts
from maps.verbatim import take_text_as_it_stands

__all__ = ["LocalMap", "MapPage", "finished_page"]

take_text_as_it_stands()


@dataclass(frozen=True, slots=True)
class MapPage:
    """A page and its policy; a file carries the policy in itself too."""

    html: str
    policy: str


class LocalMap(folium.Map):  # type: ignore[misc]  # folium carries no types
    """A folium map that loads nothing and styles nothing by itself: see `finished_page`."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - folium's own shape
    default_css: list[tuple[str, str]] = []  # noqa: RUF012 - same
    # folium's own template, without its inline style elements and its first inline script.
    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <div class="folium-map" id={{ this.get_name() | tojson }}></div>
        {% endmacro %}

        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.map({{ this.get_name() | tojson }}, {
            center: {{ this.location | tojson }},
            crs: L.CRS.EPSG3857,
            ...{{ this.options | tojavascript }}
        });
        {% endmacro %}
        """
    )

    def __init__(self, **options: Any) -> None:
        quiet = {"tiles": None, "zoom_control": False, "control_scale": False}
        super().__init__(prefer_canvas=True, zoomSnap=0.25, **quiet, **options)


def finished_page(view: LocalMap, texts: Texts, title: str, *, inline: bool) -> MapPage:
    """The page of a map.

    Parameters
    ----------
    inline : bool
        True puts all that it needs into the page: it opens with no network at all.
    """
    figure = view.get_root()
    figure.render()  # the elements add themselves to the figure's parts
    # A browser reads line ends as it likes before it takes the hash.
    drawing = f"\n{figure.script.render()}\n".replace("\r", "")
    if inline:
        scripts, styles = inlined_assets()
        policy, head = file_policy([*scripts, drawing], styles), _inlined(scripts, styles)
        head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n{head}'
    else:
        policy, head = page_policy([drawing]), linked_assets()
    html = (
        f'<!doctype html>\n<html lang="{texts.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n{head}\n'
        f"</head>\n<body>\n{figure.html.render()}\n<script>{drawing}</script>\n</body>\n</html>\n"
    )
    return MapPage(html, policy)


def _inlined(scripts: Sequence[str], styles: Sequence[str]) -> str:
    kinds = (("style", styles), ("script", scripts))
    return "\n".join(f"<{tag}>{text}</{tag}>" for tag, texts in kinds for text in texts)
