"""A page on paper: HTML to PDF, in the machine's own fonts; nothing it links to is fetched."""

from typing import Any, BinaryIO

from weasyprint import HTML
from weasyprint.urls import URLFetcher

__all__ = ["prepare", "run"]

# What a page may hold: fonts, pictures and tables are loaded when they are first used.
_SAMPLE = (
    "<html lang='zh-CN'><head><title>网格</title><style>@page{size:A6}</style></head><body>"
    "<h1>网格 grid</h1><table><tr><td><b>字</b></td></tr></table><a href='#x'>x</a>"
    "<svg viewBox='0 0 9 9'><path d='M0 0L9 9'/><text>图</text></svg></body></html>"
)


def prepare() -> None:
    """Print a small page."""
    _printed(_SAMPLE)


def run(_options: dict[str, Any], source: BinaryIO, target: BinaryIO) -> None:
    """Print the page that comes in."""
    target.write(_printed(source.read().decode()))


def _printed(page: str) -> bytes:
    nothing = URLFetcher(allowed_protocols=())
    paper: bytes = HTML(string=page, url_fetcher=nothing).write_pdf()
    return paper
