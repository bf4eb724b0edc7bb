import io
import struct
import zlib

import pytest
from PIL import Image

from data.errors import SourceError
from data.pictures import LARGEST_PHOTO, redrawn


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **saved) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(made, kind, **saved)
    return made.getvalue()


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "SecretMaker"
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[2] = (43.0, 34.0, 30.0)
    return picture(exif=exif)


def test_nothing_that_the_camera_wrote_is_kept_and_it_stands_upright() -> None:
    content = with_exif()
    assert b"SecretMaker" in content
    clean = redrawn(content)
    assert b"SecretMaker" not in clean
    drawn = Image.open(io.BytesIO(clean))
    assert (drawn.format, drawn.size, dict(drawn.getexif())) == ("JPEG", (48, 64), {})
    assert redrawn(content) == clean, "the same photo is the same"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_large_pictures_are_made_smaller(kind: str) -> None:
    drawn = Image.open(io.BytesIO(redrawn(picture(kind, (2600, 1300)))))
    assert max(drawn.size) == 2048


def bomb() -> bytes:
    """A PNG that says it is 60,000 pixels a side."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        picture()[:-2],
        picture("PNG")[:-13],
        bomb(),
        b"%PDF-1.7",
        b"GIF89a" + b"\xff" * 40,
    ],
    ids=["empty", "words", "svg", "cut", "cut png", "bomb", "pdf", "broken gif"],
)
def test_what_is_no_photo_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match="photo"):
        redrawn(content)


def test_a_huge_one_is_refused_before_it_is_read() -> None:
    with pytest.raises(SourceError, match="12 MB"):
        redrawn(b"\0" * (LARGEST_PHOTO + 1))
