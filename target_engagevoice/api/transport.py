"""One HTTP request and its fate: answered, never sent, or unknown.

Only this module, `http_adapter`, `response_body` and `auth` use `requests`. `client` knows the endpoints and sends
through this module.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError

from target_engagevoice.api.answers import Denied, NotSent, Oversized, Unknown
from target_engagevoice.api.http_adapter import BoundedAdapter, bounded_session
from target_engagevoice.api.response_body import BodyTooLargeError

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


class Transport:
    """A connection pool with time-outs and a sign-in. Any thread may send: it only reads `requests.Session`.

    Args:
        connections: How many threads send at the same time.
        timeout: Seconds for one request, from connecting to the last byte of the answer. A token that it needs is
            not counted; a request that is repeated after a 401 has as many again.
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
        self._adapter = BoundedAdapter(connections + 1)
        self._session = bounded_session(self._adapter)
        self._session.auth = authentication
        self._session.headers["User-Agent"] = user_agent

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
        self._adapter.notify_when_sent(on_sent)
        try:
            request = self._session.prepare_request(requests.Request(method, url, headers, None, body, params))
            with self._session.send(
                request, timeout=self._timeout, allow_redirects=False, **self._environment(url)
            ) as response:
                content = response.content
        except requests.RequestException as error:
            return _fate(error)
        finally:
            self._adapter.notify_when_sent(None)
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
    if isinstance(error, BodyTooLargeError):
        return Oversized()
    if any(isinstance(cause, TimeoutError) for cause in causes) or isinstance(error, requests.exceptions.Timeout):
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
