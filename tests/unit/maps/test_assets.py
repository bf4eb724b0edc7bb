import re

from maps.assets import header_html
from maps.vendor import VENDOR_DIR


def test_linked_assets_are_all_there() -> None:
    links = re.findall(r'(?:src|href)="/static/vendor/([^"]+)"', header_html(inline=False))
    assert len(links) >= 6
    assert [link for link in links if not (VENDOR_DIR / link).is_file()] == []


def test_inlined_assets_ask_for_nothing() -> None:
    page = header_html(inline=True)
    assert "<script src" not in page
    assert "<link" not in page
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    outside = set(re.findall(r"url\((?!data:|#|none)([^)]*)\)", styles))
    assert outside == set()
