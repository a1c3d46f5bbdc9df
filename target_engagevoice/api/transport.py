"""One HTTP request, and the truth about what became of it: answered, never sent, or unknown.

The only other room that knows HTTP is `auth.py`; `client.py` knows the endpoints and speaks through this one.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
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

NO_CONTENT = 204


@dataclass(frozen=True)
class HttpAnswer:
    """What came back, read to its end.

    Attributes:
        headers: Lower-case names.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The header, empty when missing."""
        return self.headers.get("content-type", "")

    @property
    def is_whole(self) -> bool:
        """Whether its end came: `requests` takes a head that broke off for an answer without a body."""
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        return framed or bool(self.body) or self.status == NO_CONTENT


_LEAVING = threading.local()
"""`tell`: whom the thread's request is to tell that it has left."""


class _Telling(HTTPConnection):
    """A connection that tells when a request is written: connected, handshakes made, all bytes given to the system."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send."""
        super().request(*args, **kwargs)
        tell = getattr(_LEAVING, "tell", None)
        if tell is not None:
            tell()


class _TellingSecurely(_Telling, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Telling


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _TellingSecurely


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """`requests` on connections that tell, behind a proxy as well."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """The pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class Transport:
    """A connection pool with time-outs and a sign-in. Any thread may send: `requests.Session` is only read.

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
        self._settings: dict[str, Mapping[str, Any]] = {}  # by host; whoever asks first fills it in
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
        """Send once and read the whole answer. Redirects are not followed: a load must not wander.

        Args:
            method: HTTP's.
            url: Where to.
            params: The query.
            body: JSON.
            on_sent: Called when the request has been written, all of it, before the answer is waited for; it must not
                raise. Once more when a sign-in made it be sent again.

        Raises:
            SignInError: A token was needed and can not be had.
        """
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
        sent = self._clock.monotonic()
        _LEAVING.tell = on_sent
        try:
            request = self._session.prepare_request(requests.Request(method, url, headers, None, body, params))
            with self._session.send(
                request, timeout=self._timeout, allow_redirects=False, **self._surroundings(url)
            ) as response:
                content = response.content
        except requests.RequestException as error:
            return _fate(error)
        finally:
            _LEAVING.tell = None
        self._server_clock.observe(response.headers.get("Date"), sent, self._clock.monotonic())
        answer = HttpAnswer(
            response.status_code,
            content,
            {name.casefold(): value for name, value in response.headers.items()},
        )
        return answer if answer.is_whole else Unknown("an answer that broke off")

    def _surroundings(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificates that the environment asks for: looked up once a host, since that takes a while."""
        host = urlsplit(url).netloc
        if host not in self._settings:
            self._settings[host] = self._session.merge_environment_settings(url, proxies(url), None, None, None)
        return self._settings[host]

    def close(self) -> None:
        """Close every connection."""
        self._session.close()


def proxies(url: str) -> dict[str, str]:
    """What `requests` is to be told: no proxy of the machine's is asked for an address that is on the machine."""
    host = urlsplit(url).hostname or ""
    return {"no_proxy": host} if host in ("localhost", "127.0.0.1", "::1") else {}


def _fate(error: requests.RequestException) -> NotSent | Unknown | Denied:
    """Whether a request that failed can have reached the server. The error's text holds the URL and is not kept."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Denied("the server's TLS certificate is not trusted")
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidURL)) or any(
        isinstance(cause, (NewConnectionError, NameResolutionError)) for cause in causes
    ):
        return NotSent(_what(causes) or "no connection")
    if isinstance(error, requests.exceptions.SSLError):
        return Unknown("TLS failed")  # in the handshake or, after the request was stored, in the answer
    if isinstance(error, requests.exceptions.Timeout):
        return Unknown("no answer in time")
    return Unknown(_what(causes) or "the connection broke")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was made from: urllib3 wraps in arguments and `reason`, Python in `__cause__`."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            todo += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _what(causes: list[BaseException]) -> str:
    """The operating system's own words, such as 'Connection refused'; they name no URL."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    return ""
