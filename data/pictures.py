"""Photos that people send, drawn anew in a process of their own."""

from data.errors import SourceError
from data.sandbox import PHOTO, convert

__all__ = ["LARGEST_PHOTO", "STAFF_PIXELS", "STRANGERS_PIXELS", "redrawn"]

LARGEST_PHOTO = 12_000_000  # bytes
STRANGERS_PIXELS = 20_000_000
STAFF_PIXELS = 50_000_000  # in WebP as many as strangers: see `data.conversions.photo`
_LONGEST_SIDE = 2048


def redrawn(
    content: bytes, *, longest_side: int = _LONGEST_SIDE, most_pixels: int = STRANGERS_PIXELS
) -> bytes:
    """Draw a photo anew as JPEG: upright, of at most so many pixels a side, no EXIF, no place.

    Raises
    ------
    SourceError
        If it is no picture, too large, or cut off, or takes too much to read.
    """
    if len(content) > LARGEST_PHOTO:
        raise SourceError(f"a photo has at most {LARGEST_PHOTO / 1e6:.0f} MB")
    options = {"longest_side": longest_side, "most_pixels": most_pixels}
    return convert("photo", content, options, limits=PHOTO)
