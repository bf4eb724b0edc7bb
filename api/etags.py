"""Answers that whoever asks again need not be sent again."""

import re

import xxhash
from fastapi import Request
from fastapi.responses import Response

__all__ = ["is_held", "tagged"]

# An entity tag (RFC 9110, section 8.8.3) and the comma behind it: a tag may hold commas itself.
_TAG = re.compile(r'[\s,]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?=,|$)')


def is_held(said: str, tag: str) -> bool:
    """Whether an ``If-None-Match`` names a tag, by the weak comparison, or is ``*``.

    Parameters
    ----------
    said : str
        The header; what cannot be read in it names nothing.
    tag : str
        Of the answer as it is now, in its quotes.
    """
    if said.strip() == "*":
        return True
    wanted, at = tag.removeprefix("W/"), 0
    while found := _TAG.match(said, at):
        if found[1] == wanted:
            return True
        at = found.end()
    return False


def tagged(
    request: Request, body: bytes, media_type: str, *, max_age_s: int = 0, kept: str = ""
) -> Response:
    """An answer with its ``ETag``; 304 without a body where the client holds the same.

    Parameters
    ----------
    max_age_s : int
        How long it may be used without asking.
    kept : str
        ``Cache-Control``, where it says more.
    """
    tag = f'"{xxhash.xxh3_64_hexdigest(body)}"'
    kept = kept or (f"max-age={max_age_s}" if max_age_s else "no-cache")
    headers = {"ETag": tag, "Cache-Control": kept}
    if is_held(", ".join(request.headers.getlist("if-none-match")), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
