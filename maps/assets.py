"""The browser assets of a map: linked from this host, or inlined so that a file needs none."""

import base64
import mimetypes
import re
from functools import cache
from pathlib import Path

from data.errors import StateError
from maps.vendor import VENDOR_DIR

__all__ = ["inlined_assets", "linked_assets"]

_STYLES = (
    "leaflet/dist/leaflet.css",
    "leaflet.markercluster/dist/MarkerCluster.css",
    "leaflet.markercluster/dist/MarkerCluster.Default.css",
    "leaflet-search/dist/leaflet-search.min.css",
)
_SCRIPTS = (
    "leaflet/dist/leaflet.js",
    "leaflet.markercluster/dist/leaflet.markercluster.js",
    "leaflet-search/dist/leaflet-search.min.js",
)
_STATIC = Path(__file__).parent / "static"
_URL = re.compile(r"url\(\s*['\"]?(?!data:)([^'\")]+?)['\"]?\s*\)")


def linked_assets() -> str:
    """Head elements that load the assets from this host.

    Raises
    ------
    StateError
        If the assets were not installed.
    """
    _require_assets()
    links = [f'<link rel="stylesheet" href="/static/vendor/{path}">' for path in _STYLES]
    links.append('<link rel="stylesheet" href="/static/map.css">')
    links += [f'<script src="/static/vendor/{path}"></script>' for path in _SCRIPTS]
    links.append('<script src="/static/map.js"></script>')
    return "\n".join(links)


@cache
def inlined_assets() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scripts and styles as the texts of inline elements: such a page needs no network.

    Raises
    ------
    StateError
        If the assets were not installed.
    """
    _require_assets()
    scripts = [*(VENDOR_DIR / name for name in _SCRIPTS), _STATIC / "map.js"]
    styles = [*(VENDOR_DIR / name for name in _STYLES), _STATIC / "map.css"]
    return tuple(map(_script, scripts)), tuple(map(_style, styles))


def _require_assets() -> None:
    if not (VENDOR_DIR / _SCRIPTS[0]).exists():
        raise StateError("the browser assets are not installed: run make setup")


def _script(path: Path) -> str:
    # Read with universal line ends: a browser takes an inline element's hash after them.
    text = path.read_text(encoding="utf-8").replace("</script", "<\\/script")
    return re.sub(r"//# sourceMappingURL=\S+", "", text)


def _style(path: Path) -> str:
    def embed(match: "re.Match[str]") -> str:
        image = (path.parent / match.group(1).split("#")[0]).resolve()
        if not image.is_file():  # e.g. behaviours of old browsers
            return "none"
        kind = mimetypes.guess_type(image.name)[0] or "application/octet-stream"
        return f"url(data:{kind};base64,{base64.b64encode(image.read_bytes()).decode()})"

    return _URL.sub(embed, path.read_text(encoding="utf-8"))
