"""Running what is asynchronous from a test that is not."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

__all__ = ["run_aside"]

Result = TypeVar("Result")


def run_aside(asked: Callable[..., Awaitable[Result]], *given: Any) -> Result:
    """Await it on a loop of its own: a browser's may be running in this thread."""
    with start_blocking_portal() as portal:
        return portal.call(asked, *given)
