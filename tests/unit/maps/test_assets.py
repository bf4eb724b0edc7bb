import re

from maps.assets import inlined_assets, linked_assets
from maps.vendor import VENDOR_DIR


def test_linked_assets_are_all_there() -> None:
    links = re.findall(r'(?:src|href)="/static/vendor/([^"]+)"', linked_assets())
    assert len(links) >= 6
    assert [link for link in links if not (VENDOR_DIR / link).is_file()] == []


def test_inlined_assets_ask_for_nothing() -> None:
    scripts, styles = inlined_assets()
    assert len(scripts) >= 4
    assert all("</script" not in script for script in scripts)
    outside = set(re.findall(r"url\((?!data:|#|none)([^)]*)\)", "".join(styles)))
    assert outside == set()
