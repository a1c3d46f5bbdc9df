"""One HTTP request and its fate: answered, never sent, or unknown.

Only this module and `auth` use `requests`. `client` knows the endpoints and sends through this module.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from target_engagevoice.api.answers import Denied, NotSent, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_engagevoice.api.server_clock import ServerClock
    from target_engagevoice.clock import Clock


@dataclass(frozen=True)
class HttpAnswer:
    """An answer, read to its end.

    Attributes:
        headers: By lower-case name.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The header, empty when missing."""
        return self.headers.get("content-type", "")

    @property
    def is_success(self) -> bool:
        """Whether the status is in the 200s."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_page(self) -> bool:
        """Whether it is an HTML page: the API sends none, a proxy or the web application does."""
        return "html" in self.content_type.casefold()

    @property
    def is_whole(self) -> bool:
        """Whether it is complete: `requests` treats a head that broke off as an answer without a body."""
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        return framed or bool(self.body) or self.status == HTTPStatus.NO_CONTENT


_ON_SENT = threading.local()
"""`call`: what to call when this thread's request has been written; None for nothing."""


class _NotifyingConnection(HTTPConnection):
    """A connection that reports when a request is written: handshakes done, all bytes passed to the system."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send."""
        super().request(*args, **kwargs)
        call = getattr(_ON_SENT, "call", None)
        if call is not None:
            call()


class _NotifyingTlsConnection(_NotifyingConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _NotifyingConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _NotifyingTlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """`requests` on connections that report what they have sent, also through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """The pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class Transport:
    """A connection pool with time-outs and a sign-in. Any thread may send: it only reads `requests.Session`.

    Args:
        connections: How many threads send at the same time.
        timeout: Seconds to connect, and seconds of silence while reading.
    """

    def __init__(
        self,
        *,
        authentication: requests.auth.AuthBase,
        connections: int,
        timeout: float,
        user_agent: str,
        clock: Clock,
        server_clock: ServerClock,
    ) -> None:
        self._clock = clock
        self._server_clock = server_clock
        self._timeout = timeout
        self._settings: dict[str, Mapping[str, Any]] = {}  # by host; the first thread that asks fills it in
        self._session = requests.Session()
        self._session.auth = authentication
        self._session.headers["User-Agent"] = user_agent
        adapter = _Adapter(pool_connections=4, pool_maxsize=connections + 1)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> HttpAnswer | NotSent | Unknown | Denied:
        """Send once and read the whole answer. Redirects are not followed: a load must not reach another host.

        Args:
            method: The HTTP method.
            url: The address.
            params: The query.
            body: JSON.
            on_sent: Called when the whole request has been written, before the wait for the answer; it must not
                raise. Called again when the request is repeated after a 401.

        Raises:
            SignInError: A token was needed and could not be obtained.
        """
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
        sent = self._clock.monotonic()
        _ON_SENT.call = on_sent
        try:
            request = self._session.prepare_request(requests.Request(method, url, headers, None, body, params))
            with self._session.send(
                request, timeout=self._timeout, allow_redirects=False, **self._environment(url)
            ) as response:
                content = response.content
        except requests.RequestException as error:
            return _fate(error)
        finally:
            _ON_SENT.call = None
        self._server_clock.observe(response.headers.get("Date"), sent, self._clock.monotonic())
        answer = HttpAnswer(
            response.status_code,
            content,
            {name.casefold(): value for name, value in response.headers.items()},
        )
        return answer if answer.is_whole else Unknown("an answer that broke off")

    def _environment(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificates that the environment sets, looked up once for each host, since that is slow."""
        host = urlsplit(url).netloc
        if host not in self._settings:
            self._settings[host] = self._session.merge_environment_settings(url, proxies(url), None, None, None)
        return self._settings[host]

    def close(self) -> None:
        """Close every connection."""
        self._session.close()


def proxies(url: str) -> dict[str, str]:
    """The proxies for `requests`: none of the machine's for an address on this machine."""
    host = urlsplit(url).hostname or ""
    return {"no_proxy": host} if host in ("localhost", "127.0.0.1", "::1") else {}


def _fate(error: requests.RequestException) -> NotSent | Unknown | Denied:
    """Whether a failed request may have reached the server. The error's text holds the URL and is not kept."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Denied("the server's TLS certificate is not trusted")
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidURL)) or any(
        isinstance(cause, (NewConnectionError, NameResolutionError)) for cause in causes
    ):
        return NotSent(_problem(causes) or "no connection")
    if isinstance(error, requests.exceptions.SSLError):
        return Unknown("TLS failed")  # in the handshake or, after the request was stored, in the answer
    if isinstance(error, requests.exceptions.Timeout):
        return Unknown("no answer in time")
    return Unknown(_problem(causes) or "the connection broke")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes: urllib3 keeps them in arguments and `reason`, Python in `__cause__`."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            todo += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _problem(causes: list[BaseException]) -> str:
    """The operating system's message, such as 'Connection refused'; it holds no URL."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    return ""
