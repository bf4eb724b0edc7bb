"""A photo drawn anew: upright, of a bounded size, without anything that the camera wrote."""

import io
import warnings
from typing import Any, BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from data.errors import SourceError

__all__ = ["prepare", "run"]

_KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)
# A progressive JPEG has about ten scans; each is a pass over the whole picture.
_MOST_SCANS = 64
# Of a WebP four pictures of its full size are held until it has been read.
_MOST_OF = {"WEBP": 20_000_000}
_NO_PHOTO = "this is no photo in JPEG, PNG, WebP, GIF or BMP"


def prepare() -> None:
    """Write and read a small picture of each kind: Pillow loads its codecs when they are used."""
    for plugin in _PLUGINS:
        kind = plugin.__name__.rpartition(".")[2].removesuffix("ImagePlugin").upper()
        sample = io.BytesIO()
        Image.new("RGB", (8, 8)).save(sample, kind)
        _drawn(sample.getvalue(), longest_side=4, most_pixels=100)


def run(options: dict[str, Any], source: BinaryIO, target: BinaryIO) -> None:
    """Draw it anew as JPEG, of at most so many pixels (`most_pixels`, `longest_side`).

    Raises
    ------
    SourceError
        If it is no picture, too large, or cut off.
    """
    target.write(_drawn(source.read(), **options))


def _drawn(content: bytes, *, longest_side: int, most_pixels: int) -> bytes:
    try:
        # Pillow only warns of pictures that unpack to a hundred times their size.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=_KINDS)
            most = min(most_pixels, _MOST_OF.get(picture.format or "", most_pixels))
            if picture.width * picture.height > most:
                raise SourceError(f"a photo in {picture.format} has at most {most:,} pixels")
            _require_whole(picture.format or "", content)
            upright = _small(picture, longest_side)
    except (UnidentifiedImageError, Image.DecompressionBombWarning) as error:
        raise SourceError(_NO_PHOTO) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"the photo cannot be read: {error}") from error
    # A new image takes no metadata along.
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    drawn = io.BytesIO()
    clean.save(drawn, "JPEG", quality=85)
    return drawn.getvalue()


def _small(picture: Image.Image, longest_side: int) -> Image.Image:
    """Made small first: turning and converting then cost little memory."""
    picture.draft("RGB", (longest_side, longest_side))
    if picture.mode not in {"RGB", "RGBA", "L", "LA", "CMYK"}:
        picture = _as_colours(picture)
    exif = picture.getexif()
    picture.thumbnail((longest_side, longest_side))
    picture.getexif().update(exif)
    return ImageOps.exif_transpose(picture).convert("RGB")


def _as_colours(picture: Image.Image) -> Image.Image:
    coloured = picture.convert("RGB")
    coloured.getexif().update(picture.getexif())
    return coloured


def _require_whole(kind: str, content: bytes) -> None:
    """Refuse a picture that is cut off, or made to be slow to read.

    Whether Pillow refuses the first is a switch of the whole process.
    """
    # Neither marker can stand in the compressed data: its scan is ended by an end of image.
    cut = kind == "JPEG" and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")
    if cut or (kind == "PNG" and content.rfind(b"IEND") < content.rfind(b"IDAT")):
        raise SourceError("the photo is cut off")
    if kind == "JPEG" and content.count(b"\xff\xda") > _MOST_SCANS:
        raise SourceError(f"the photo has more than {_MOST_SCANS} scans")
