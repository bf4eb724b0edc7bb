"""Attack: requests that never end, or are never whole.

A stranger sent 400 MB of headers, which the server held; a thousand connections that had each said
half a request shut everybody else out. Nobody had signed in, and nothing stood in the log.
"""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from api import protocol
from api.protocol import BoundedProtocol
from tests.conftest import free_port

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
Talk = Callable[[bytes], bytes]


async def echo(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer with how long the body was."""
    assert scope["type"] == "http"
    size, more = 0, True
    while more:
        event = await receive()
        size += len(event.get("body", b""))
        more = event.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    said = str(size).encode()
    headers = [(b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server whose patience is short."""
    monkeypatch.setattr(protocol, "_HEAD_S", 0.6)
    monkeypatch.setattr(protocol, "_BODY_S", 0.6)
    config = uvicorn.Config(
        echo,
        port=free_port(),
        log_level="critical",
        http=BoundedProtocol,
        lifespan="off",
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield config.port
    server.should_exit = True
    thread.join(timeout=10)


def told(port: int, *said: bytes, pause_s: float = 0.0) -> bytes:
    """What is answered to pieces of a request; ``(open)`` where the connection is not ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as peer:
        try:
            for piece in said:
                peer.sendall(piece)
                time.sleep(pause_s)
        except OSError:  # it was ended while we spoke
            pass
        heard = b""
        try:
            while piece := peer.recv(65536):
                heard += piece
        except TimeoutError:
            return heard + b"(open)"
        except ConnectionResetError:
            pass
        return heard


def endless(begin: bytes, piece: bytes, most: int = 8_000_000) -> list[bytes]:
    return [begin, *[piece * 500] * (most // (500 * len(piece)))]


@pytest.mark.parametrize(
    "said",
    [
        endless(HEAD, b"x: y\r\n"),
        endless(HEAD + b"x: ", b"y" * 100),
        endless(b"GET /", b"y" * 100),
        endless(b"GET / HTTP/1.1\r\n", b"y" * 100),
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx: ", b"y" * 100),
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"y" * 100),
        endless(b"", b"\r\n"),
    ],
    ids=["headers", "header", "path", "name", "trailers", "trailer", "extension", "nothing"],
)
def test_a_head_has_an_end(port: int, said: list[bytes]) -> None:
    heard = told(port, *said)
    assert b"(open)" not in heard
    assert b" 200 " not in heard


def test_who_asks_much_and_leaves_fills_no_log(
    port: int, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of some hundred connections left twenty tracebacks."""
    for _ in range(60):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    assert told(port, HEAD + b"Content-Length: 1\r\nConnection: close\r\n\r\nx").endswith(b"1")
    assert "Traceback" not in capfd.readouterr().err + caplog.text


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"G",
        b"\r\n",
        HEAD,
        HEAD + b"Content-Length: 5\r\n\r\n12",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12",
        HEAD + b"Content-Length: 0\r\n\r\nGET / HT",
    ],
)
def test_who_says_half_a_request_is_not_waited_for(port: int, said: bytes) -> None:
    begin = time.monotonic()
    assert b"(open)" not in told(port, said)
    assert time.monotonic() - begin < 2.5


def test_bytes_that_trickle_do_not_hold_a_connection(port: int) -> None:
    begin = time.monotonic()
    told(port, *[b"x"] * 20, pause_s=0.2)
    assert time.monotonic() - begin < 3.5
    assert b" 408 " in told(port, HEAD, *[b"a"] * 9, pause_s=0.2)


def test_ordinary_requests_are_answered(port: int) -> None:
    body = b"z" * 300_000
    said = HEAD + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    assert told(port, said, *(body[at : at + 1000] for at in range(0, len(body), 1000))).endswith(
        b"\r\n\r\n300000"
    )
    # A body that is slow, and an answer that takes long, are waited for.
    said = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    assert told(port, said, b"1", b"2", b"3", b"4", b"5", pause_s=0.3).endswith(b"\r\n\r\n5")
    twice = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    heard = told(port, twice, twice, twice[:-2] + b"Connection: close\r\n\r\n", pause_s=0.3)
    assert heard.count(b" 200 ") == 3
    assert told(port, HEAD + b"x: " + b"y" * 8000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
