"""``/metrics``: how all processes of this machine are, for Prometheus; to nobody unless it is set.

Reading asks no database and waits for no turn. See decision 24.
"""

import asyncio
import hmac
import ipaddress
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import Headers

from api.measured import Measured
from data.settings import Settings, is_local_name

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
# What proxies add to what they pass on.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """The metrics, for whoever may read them."""
    settings: Settings = request.app.state.settings
    if settings.metrics == "local":
        if not _is_of_this_machine(request):
            return PlainTextResponse("there is nothing here\n", 404)
    elif not settings.metrics_keys:
        return PlainTextResponse("there is nothing here\n", 404)
    elif not _has_key(request, settings):
        headers = {"WWW-Authenticate": "Bearer"}
        return PlainTextResponse("a key is needed: Authorization: Bearer …\n", 401, headers)
    measured: Measured = request.app.state.measured
    return Response(await asyncio.to_thread(measured.page), media_type=CONTENT_TYPE_LATEST)


def _has_key(request: Request, settings: Settings) -> bool:
    kind, _, said = request.headers.get("authorization", "").partition(" ")
    given = said.strip().encode()
    keys = [key.encode() for _, key in settings.metrics_keys]
    # All are compared: how long it takes tells nothing of which was nearly right.
    fits = [hmac.compare_digest(given, key) for key in keys]
    return kind.lower() == "bearer" and any(fits)


def _is_of_this_machine(request: Request) -> bool:
    """Whether a program of this machine asks, and not a proxy of it for somebody else."""
    headers: Headers = request.headers
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    if not is_local_name(host) or any(name in headers for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
