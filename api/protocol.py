"""HTTP as strangers may speak it: no head without an end, nobody who says half of one and waits.

uvicorn bounds neither: its parser keeps a header of any length, and a connection whose request is
never whole stays for ever.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["BoundedProtocol"]

# A head has at most so many bytes (nginx: 8 kB for each line, 32 kB in all), and is whole so soon.
_LONGEST_HEAD, _HEAD_S = 65536, 20.0
# A body that does not go on for so long has been left.
_BODY_S = 30.0


class _Forgiving:
    """A transport to which nothing happens once it closes.

    uvloop raises where asyncio's own warns: whoever asked much at once and left filled the log
    with tracebacks.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send, while somebody is there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Read no more for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedProtocol(HttpToolsProtocol):
    """One connection, whose requests come whole and in time or not at all."""

    # Bytes that came to nothing yet: part of a head, of trailers, of a chunk's extension.
    _unheard = 0
    _is_in_body = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(cast("asyncio.Transport", _Forgiving(transport)))
        self._wait(_HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes, if they come to something."""
        self._unheard += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unheard > _LONGEST_HEAD:
            self._refuse(431, "The head of the request is too long.")
        elif self._is_in_body:
            self._wait(_BODY_S)
        elif self._deadline is None and self._owes_head():
            self._wait(_HEAD_S)

    def on_headers_complete(self) -> None:
        """The head is whole: a body follows, if only an empty one."""
        self._unheard, self._is_in_body = 0, True
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """The body goes on."""
        self._unheard = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._unheard, self._is_in_body = 0, False
        self._wait_no_more()
        super().on_message_complete()

    def _owes_head(self) -> bool:
        return self._unheard > 0 or self.cycle is None or self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self._wait_no_more()
        self._deadline = self.loop.call_later(seconds, self._end_late)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._is_in_body and self.flow.read_paused:
            self._wait(_BODY_S)  # we ourselves do not read on
        else:
            self._refuse(408, "The request was not whole in time.")

    def _refuse(self, status: int, why: str) -> None:
        # Where the application has begun to answer, nothing can be said any more.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(
                STATUS_LINE[status]
                + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
                + f"content-length: {len(why)}\r\n\r\n{why}".encode()
            )
        self.transport.close()
