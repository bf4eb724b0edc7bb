"""Copy the browser assets that ``package.json`` declares into the served folder.

Run at set-up; nothing of it is committed, and a built
wheel carries the result, so that a closed network can install it.
"""

import shutil
import sys
from pathlib import Path

__all__ = ["VENDOR_DIR", "copy_assets", "main"]

VENDOR_DIR = Path(__file__).parent / "static" / "vendor"

# What a page needs of each package, and no more.
_WANTED = {
    "leaflet/dist": ("leaflet.js", "leaflet.css", "images"),
    "leaflet.markercluster/dist": (
        "leaflet.markercluster.js",
        "MarkerCluster.css",
        "MarkerCluster.Default.css",
    ),
    "leaflet-search": (
        "dist/leaflet-search.min.js",
        "dist/leaflet-search.min.css",
        "images",
    ),
    "maplibre-gl/dist": (
        "maplibre-gl.mjs",
        "maplibre-gl-shared.mjs",
        "maplibre-gl-worker.mjs",
        "maplibre-gl.css",
    ),
    "swagger-ui-dist": ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"),
}


def copy_assets(node_modules: Path, target: Path = VENDOR_DIR) -> int:
    """Copy the wanted files of each package; return how many entries were copied.

    Raises
    ------
    FileNotFoundError
        If the packages are not installed.
    """
    copied = 0
    for source, names in _WANTED.items():
        for name in names:
            origin = node_modules / source / name
            destination = target / source / name
            destination.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, destination, dirs_exist_ok=True)
            else:
                shutil.copyfile(origin, destination)
            copied += 1
    return copied


def main() -> None:
    """Copy from the project's own ``node_modules`` and say how much."""
    sys.stdout.write(f"  {copy_assets(Path('node_modules'))} browser assets in {VENDOR_DIR.name}\n")
