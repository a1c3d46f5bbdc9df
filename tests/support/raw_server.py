"""A server on sockets that answers with any bytes, at any pace."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_engagevoice.api.server_clock import ServerClock
from tests.support.factories import transport_to
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from target_engagevoice.api.transport import Transport


class RawServer:
    """Listens on loopback, reads each request whole, and then behaves as the test says.

    Args:
        behave: What it does with a connection.
        reads: Whether it reads the request first; without, `behave` does, or does not.
    """

    def __init__(self, behave: Callable[[socket.socket], None], *, reads: bool = True) -> None:
        self._behave = behave
        self._reads = reads
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/voice"
        self.requests: list[bytes] = []
        self.done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self.done.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                request = read_request(connection) if self._reads else b"?"
                if request:
                    self.requests.append(request)
                    self._behave(connection)

    def close(self) -> None:
        self.done.set()
        with socket.socket() as knock:  # a blocked accept does not hear of its socket being closed
            knock.connect(("127.0.0.1", self.port))
        self._thread.join()
        self._listener.close()


def read_request(connection: socket.socket) -> bytes:
    """One request, whole; empty when the client closed the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(
    behave: Callable[[socket.socket], None], timeout: float = 5.0, *, reads: bool = True
) -> Iterator[tuple[RawServer, Transport]]:
    """A server, and a transport that sends to it."""
    server = RawServer(behave, reads=reads)
    transport = transport_to(FakeClock(), ServerClock(), server.url, timeout)
    try:
        yield server, transport
    finally:
        transport.close()
        server.close()


def say(data: bytes) -> Callable[[socket.socket], None]:
    """A server that answers with these bytes."""
    return lambda connection: connection.sendall(data)


def trickle(head: bytes, piece: bytes, seconds: float = 0.05) -> Callable[[socket.socket], None]:
    """A server that sends the head at once, and then the piece after each pause until the client closes."""

    def pieces() -> Iterator[bytes]:
        while True:
            time.sleep(seconds)
            yield piece

    return pour(head, pieces())


def pour(head: bytes, pieces: Iterable[bytes]) -> Callable[[socket.socket], None]:
    """A server that sends the head and these pieces, until the client closes."""

    def behave(connection: socket.socket) -> None:
        try:
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # the client has closed

    return behave
