"""Answers that whoever asks again need not be sent again."""

import xxhash
from fastapi import Request
from fastapi.responses import Response

__all__ = ["tagged"]


def tagged(request: Request, body: bytes, media_type: str, *, max_age_s: int = 0) -> Response:
    """An answer with its ``ETag``; 304 without a body where the client holds the same.

    Parameters
    ----------
    max_age_s : int
        How long it may be used without asking.
    """
    tag = f'"{xxhash.xxh3_64_hexdigest(body)}"'
    kept = f"max-age={max_age_s}" if max_age_s else "no-cache"
    headers = {"ETag": tag, "Cache-Control": kept}
    said = request.headers.get("if-none-match", "")
    if tag in {one.strip().removeprefix("W/") for one in said.split(",")} or said == "*":
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
