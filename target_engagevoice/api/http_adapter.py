"""HTTP with bounds: one deadline for a whole request; `response_body` limits the body of its answer.

`requests` bounds only each wait for the next byte, so a server that sends one byte a second would keep a request for
ever, and it takes a body of any size into memory. Here the deadline covers the connection, the request, the head and
the body; only the lookup of a host's name is the operating system's. `Transport` and the sign-in send through this
module.

The deadline is on real time, as sockets wait in real time. It belongs to the thread that sends: `_CURRENT`.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection as addresses

from target_engagevoice.api.response_body import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SECONDS = 86_400.0
"""A longer deadline counts as this: the operating system refuses a wait without bounds."""

WRITTEN_AT_ONCE = 16 * 1024
"""Bytes of a request that are written under one time-out."""


class _Current(threading.local):
    """The request that this thread sends.

    Attributes:
        until: The time of `time.monotonic` when it must be over.
        on_sent: What to call when it has been written; None for nothing.
    """

    until = 0.0
    on_sent: Callable[[], None] | None = None

    def seconds_left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: There are none.
        """
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the request's time is over")
        return seconds


_CURRENT = _Current()


class _SocketReader(io.RawIOBase):
    """Reads a socket. Each read waits until the deadline at the latest."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._file = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, at least one byte; 0 at the end."""
        self._socket.settimeout(_CURRENT.seconds_left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Close this reader's hold on the socket."""
        self._file.close()
        super().close()


class _Source:
    """Gives an answer's reader in the one way in which `http.client` asks a socket for it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def makefile(self, mode: str) -> io.BufferedReader:
        """A buffered reader."""
        del mode
        return io.BufferedReader(_SocketReader(self._socket))


class _Response(http.client.HTTPResponse):
    """An answer that is read until the deadline: a proxy's to CONNECT, or the server's."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Source(sock), *args, **kwargs)  # type: ignore[arg-type]  # only `makefile` is used


class _Connection(HTTPConnection):
    """A connection that connects, writes and reads until the deadline."""

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        """Connect to the host's addresses one after the other. `urllib3` gives each of them the whole time-out."""
        host = self._dns_host.strip("[]")
        try:
            host.encode("idna")
            found = socket.getaddrinfo(host, self.port, addresses.allowed_gai_family(), socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return super()._new_conn()  # meets the same problem, and describes it
        problem: OSError = OSError("the name has no address")
        for *_, address in found:
            try:
                return addresses.create_connection(
                    (str(address[0]), self.port), _CURRENT.seconds_left(), self.source_address, self.socket_options
                )
            except OSError as error:  # noqa: PERF203 - a host has a few addresses
                problem = error
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out.") from problem
        raise NewConnectionError(self, f"Failed to establish a new connection: {problem}") from problem

    def send(self, data: Any) -> None:
        """Write bytes in pieces, each until the deadline: on TLS, the time-out starts anew with each record."""
        if self.sock is None or not isinstance(data, bytes):
            super().send(data)
            return
        for start in range(0, len(data), WRITTEN_AT_ONCE):
            self.sock.settimeout(_CURRENT.seconds_left())
            super().send(data[start : start + WRITTEN_AT_ONCE])

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send, and notify."""
        super().request(*args, **kwargs)
        if _CURRENT.on_sent is not None:
            _CURRENT.on_sent()


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedAdapter(HTTPAdapter):
    """`requests` on such connections, also through a proxy. An answer comes with its body read.

    Args:
        connections: How many connections to one host stay open.
    """

    def __init__(self, connections: int = 1) -> None:
        self._listeners = threading.local()  # each thread sets its own
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def notify_when_sent(self, call: Callable[[], None] | None) -> None:
        """Set what to call when this thread has written a request: handshakes done, all bytes passed to the system.

        Args:
            call: What to call, again for a request that is repeated after a 401; None for nothing.
        """
        self._listeners.call = call

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """The pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and read the whole answer.

        Args:
            request: What to send.
            *args: None; `requests` names its arguments.
            **kwargs: Those of `HTTPAdapter.send`. `timeout` is in seconds, for everything together.

        Raises:
            requests.RequestException: There is no answer, it breaks off, it is too large, or it is not there in time.
        """
        seconds = min(float(kwargs["timeout"]), LONGEST_SECONDS)
        _CURRENT.until = time.monotonic() + seconds
        _CURRENT.on_sent = getattr(self._listeners, "call", None)  # of this adapter: a sign-in in between has none
        response = super().send(request, *args, **{**kwargs, "stream": True, "timeout": seconds})
        try:
            vars(response).update(_content=read_body(response.raw), _content_consumed=True)  # what `content` keeps
        finally:
            response.close()
        return response


def bounded_session(adapter: BoundedAdapter | None = None) -> requests.Session:
    """A session of `requests` with bounds.

    Args:
        adapter: What it sends through; None creates one.
    """
    session = requests.Session()
    session.headers["Accept-Encoding"] = "gzip, deflate"  # what `read_body` decodes
    adapter = adapter or BoundedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
