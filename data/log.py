"""The program's own log: events as plain sentences, with facts by name.

It is structlog over the standard library's logging: without further ado an event is a record whose
message is the sentence, and which goes wherever records go (`data.logging` says where that is).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session

__all__ = ["LOG", "OWN", "log_after_commit", "request_of", "within_request"]

# The name under which the program's own records go.
OWN = "onegrid"
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(OWN)


def request_of() -> str:
    """Number of the request that is being worked for; ``""`` where it is none."""
    return str(structlog.contextvars.get_contextvars().get("request", ""))


@contextmanager
def within_request(number: str) -> Iterator[None]:
    """Within the block, whatever is logged names a request."""
    with structlog.contextvars.bound_contextvars(**({"request": number} if number else {})):
        yield


def log_after_commit(session: Session, sentence: str, **facts: Any) -> None:
    """Tell of something once it is committed; what is rolled back has not happened."""
    number = request_of()

    def tell(_: Session) -> None:
        with within_request(number):
            LOG.info(sentence, **facts)

    event.listen(session, "after_commit", tell, once=True)
