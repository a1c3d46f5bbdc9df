"""One client connection: HTTP/1.1 with keep-alive, and answers that are sent late, in part, or not at all.

Werkzeug's own handler closes the connection after each answer, and logs each request line, which may hold a
password. This one reads the whole request, runs the application, writes the answer in one piece, and logs nothing.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import socket
import struct
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

from werkzeug.serving import DechunkedInput, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from target_engagevoice.sandbox import dates
from target_engagevoice.sandbox.answers import NORMAL_DELIVERY, Delivery
from target_engagevoice.sandbox.application import DELIVERY, NODE_OFFSET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from _typeshed.wsgi import WSGIEnvironment

    from target_engagevoice.sandbox.personality import Personality

JOIN_SECONDS = 10.0
MEGABYTE = 1_000_000
SERVER = "engagevoice-sandbox"


class Connections:
    """The open connections of one server, and the event that ends them.

    Any thread may use it; the lock guards `_open`.

    Attributes:
        closing: Set when the server stops. Threads that delay an answer wait on it.
    """

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}

    def enter(self, connection: socket.socket) -> bool:
        """Register the connection of the calling thread; False if the server is stopping."""
        with self._lock:
            if not self.closing.is_set():
                self._open[threading.current_thread()] = connection
            return not self.closing.is_set()

    def leave(self) -> None:
        """Remove the connection of the calling thread."""
        with self._lock:
            self._open.pop(threading.current_thread(), None)

    def close(self) -> None:
        """Close all connections and wait for their threads."""
        with self._lock:
            self.closing.set()
            threads = list(self._open)
            for connection in self._open.values():
                _shut(connection)
        for thread in threads:
            thread.join(JOIN_SECONDS)


class Handler(WSGIRequestHandler):
    """Serves one connection; subclassed for each server by `handler_for`."""

    connections: ClassVar[Connections]
    clock: ClassVar[Callable[[], float]]
    personality: ClassVar[Personality]
    requests: ClassVar[Iterator[int]]

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Serve requests until either side closes the connection."""
        if not self.connections.enter(self.connection):
            return
        try:
            super().handle()
        finally:
            self.connections.leave()

    def run_wsgi(self) -> None:
        """Serve one request."""
        environ = self.make_environ()
        if not self._read_body(environ):
            self.close_connection = True
            return
        offsets = self.personality.node_offsets
        offset = offsets[next(self.requests) % len(offsets)]
        environ[NODE_OFFSET] = offset
        deliveries: list[Delivery] = []
        environ[DELIVERY] = deliveries  # a list, because the application gets a copy of the environment
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        self._deliver(
            status, list(headers.items()), b"".join(parts), deliveries[0] if deliveries else NORMAL_DELIVERY, offset
        )

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` header, by the clock of the sandbox."""
        return dates.header(type(self).clock() if timestamp is None else timestamp)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the parameter's name is werkzeug's
        """Log nothing: the request line may hold a password."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the request line may hold a password."""

    def _read_body(self, environ: WSGIEnvironment) -> bool:
        """Put the whole body into `environ`; False if the client did not send all of it."""
        if environ.get("wsgi.input_terminated"):
            body = DechunkedInput(cast("IO[bytes]", self.rfile)).read()
        else:
            length = environ.get("CONTENT_LENGTH") or "0"
            if not length.isdecimal():
                self.send_error(HTTPStatus.BAD_REQUEST)
                return False
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                return False
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return True

    def _deliver(
        self, status: str, headers: list[tuple[str, str]], body: bytes, delivery: Delivery, offset: float
    ) -> None:
        if delivery.delay:
            self.connections.closing.wait(delivery.delay)
        if delivery.hang_up or self.connections.closing.is_set():
            self.close_connection = True
            if delivery.hang_up == "reset":
                _reset(self.connection)
            return
        if delivery.send_only is not None:
            body = body[: delivery.send_only]
            self.close_connection = True
        if self.command == "HEAD":
            body = b""
        body, padding = _encoded(body, delivery)
        if delivery.gzip or padding:
            # Send the length of what follows: werkzeug has set that of the plain body.
            headers = [(name, value) for name, value in headers if name != "Content-Length"]
            headers.append(("Content-Length", str(len(body) + len(padding) * delivery.padding_megabytes)))
        if delivery.gzip:
            headers.append(("Content-Encoding", "gzip"))
        lines = [("Server", SERVER), *self._date(delivery, offset), *headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        # In one piece: the second of two small writes would wait until the client acknowledges the first.
        start = f"{self.protocol_version} {status}\r\n{head}\r\n".encode("latin-1")
        if delivery.seconds_per_byte:
            self._trickle(start, body, delivery.seconds_per_byte)
        else:
            self.wfile.write(start + body)
        for _ in range(delivery.padding_megabytes):
            self.wfile.write(padding)

    def _date(self, delivery: Delivery, offset: float) -> list[tuple[str, str]]:
        if delivery.date is not None:
            return [("Date", delivery.date)]
        if self.personality.date_offset is None:
            return []
        return [("Date", dates.header(type(self).clock() + offset + self.personality.date_offset))]

    def _trickle(self, start: bytes, body: bytes, seconds: float) -> None:
        self.wfile.write(start)
        for position in range(len(body)):
            if self.connections.closing.wait(seconds):
                self.close_connection = True
                return
            self.wfile.write(body[position : position + 1])


def handler_for(connections: Connections, clock: Callable[[], float], personality: Personality) -> type[Handler]:
    """The handler class of one server. Its nodes serve the requests in turn."""
    own = {
        "connections": connections,
        "clock": staticmethod(clock),
        "personality": personality,
        "requests": itertools.count(),
    }
    return type("SandboxHandler", (Handler,), own)


def _encoded(body: bytes, delivery: Delivery) -> tuple[bytes, bytes]:
    """The body, and a megabyte of padding, as they are sent.

    Compressed, each is a gzip member of its own: a gzip stream may have many, so a gigabyte needs no memory here.
    """
    padding = b" " * MEGABYTE if delivery.padding_megabytes else b""
    return (gzip.compress(body), gzip.compress(padding)) if delivery.gzip else (body, padding)


def _reset(connection: socket.socket) -> None:
    """Close with a TCP reset, which is what a client sees of a lost connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The file objects of the handler still hold the socket, so close() alone would wait for them.
    os.close(connection.detach())


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
