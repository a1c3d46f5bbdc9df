"""One request, and the truth about what became of it."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_engagevoice.api.answers import Denied, NotSent, Unknown
from target_engagevoice.api.server_clock import ServerClock
from target_engagevoice.api.transport import HttpAnswer
from tests.support.executable import wait_until
from tests.support.factories import USER_AGENT, transport_to
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import read_request, say, serving

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Thing: 1\r\n\r\n{}"


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def send(behave: Callable[[socket.socket], None], timeout: float = 5.0, **options: Any) -> Any:
    with serving(behave, timeout) as (server, transport):
        return transport.send("POST", server.url, **({"body": b"{}"} | options))


def test_an_answer_comes_whole() -> None:
    answer = send(say(ANSWER))
    assert answer == HttpAnswer(200, b"{}", {"content-type": "application/json", "content-length": "2", "x-thing": "1"})


@pytest.mark.parametrize("status", [201, 400, 403, 404, 413, 429, 500, 503])
def test_any_status_is_an_answer(status: int) -> None:
    answer = send(say(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))
    assert answer.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(say(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)) as (server, one):
        answer = one.send("POST", server.url, body=b"{}")
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, len(server.requests)) == (status, 1)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def unreachable(url: str) -> Any:
    transport = transport_to(FakeClock(), ServerClock(), "http://127.0.0.1", 0.3)
    try:
        return transport.send("POST", url, body=b"{}")
    finally:
        transport.close()


def test_a_refused_connection_was_not_sent() -> None:
    assert unreachable(f"http://127.0.0.1:{closed_port()}/") == NotSent("Connection refused")


def test_a_name_that_does_not_resolve_was_not_sent() -> None:
    assert isinstance(unreachable("http://nowhere.invalid/"), NotSent)


def test_a_connection_that_takes_too_long_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any, **__: Any) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    assert isinstance(unreachable("http://127.0.0.1:9/"), NotSent)


def test_a_dropped_connection_is_unknown() -> None:
    assert isinstance(send(reset), Unknown)


def test_a_connection_closed_without_an_answer_is_unknown() -> None:
    assert isinstance(send(lambda _: None), Unknown)


def test_no_answer_in_time_is_unknown() -> None:
    assert send(lambda _: time.sleep(0.5), timeout=0.1) == Unknown("no answer in time")


@pytest.mark.parametrize("length", [1, 12, 30, len(ANSWER) - 2, len(ANSWER) - 1])
def test_a_truncated_answer_is_unknown(length: int) -> None:
    assert isinstance(send(say(ANSWER[:length])), Unknown)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]
)
def test_an_answer_may_have_no_body(head: bytes) -> None:
    assert send(say(head)).body == b""


def test_an_answer_may_end_with_its_connection() -> None:
    assert send(say(b"HTTP/1.1 200 OK\r\n\r\n{}")).body == b"{}"


def test_a_chunked_answer_without_its_end_is_unknown() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert isinstance(send(say(head + b"2\r\n{}\r\n")), Unknown)


def test_an_answer_that_is_not_http_is_unknown() -> None:
    assert isinstance(send(say(b"SSH-2.0-OpenSSH_9.2\r\n")), Unknown)


def test_a_compressed_answer_that_is_damaged_is_unknown() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n"
    assert isinstance(send(say(head + b"{}")), Unknown)


def test_a_dropped_connection_is_not_tried_again() -> None:
    with serving(reset) as (server, transport):
        transport.send("POST", server.url, body=b"{}")
    assert len(server.requests) == 1


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Any:
    def request(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(requests.Session, "send", request)
    return unreachable("https://127.0.0.1:9/")


def test_a_certificate_that_is_not_trusted_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    error = requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    assert failing(error, monkeypatch) == Denied("the server's TLS certificate is not trusted")


def test_broken_tls_may_have_broken_after_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    error = requests.exceptions.SSLError(ssl.SSLError(1, "[SSL] record layer failure"))
    assert isinstance(failing(error, monkeypatch), Unknown)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError("http://me:s3cret@host/"),
        requests.exceptions.ChunkedEncodingError("http://me:s3cret@host/"),
        requests.exceptions.ReadTimeout("http://me:s3cret@host/"),
        requests.exceptions.InvalidURL("http://me:s3cret@host/"),
        requests.exceptions.SSLError("http://me:s3cret@host/"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_failed_is_reported_without_the_url(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s3cret" not in repr(failing(error, monkeypatch))


def test_the_user_agent_is_that_of_the_target() -> None:
    with serving(say(ANSWER)) as (server, transport):
        transport.send("POST", server.url, body=b"{}")
    assert f"User-Agent: {USER_AGENT}".encode() in server.requests[0]


def test_a_body_is_sent_as_json() -> None:
    with serving(say(ANSWER)) as (server, transport):
        transport.send("POST", server.url, body="Zoë".encode())
    assert b"Content-Type: application/json\r\n" in server.requests[0]
    assert server.requests[0].endswith("Zoë".encode())


def test_parameters_go_into_the_url() -> None:
    with serving(say(ANSWER)) as (server, transport):
        transport.send("GET", server.url, params={"page": 2, "maxRows": 10})
    assert server.requests[0].startswith(b"GET /voice?page=2&maxRows=10 HTTP/1.1")


def test_an_answer_teaches_the_servers_clock() -> None:
    with serving(say(ANSWER.replace(b"X-Thing: 1", b"Date: Thu, 01 Jan 2026 00:00:09 GMT"))) as (server, transport):
        transport.send("POST", server.url, body=b"{}")
        now = transport._clock.monotonic()
        assert transport._server_clock.earliest(now, 0.0) == 1_767_225_609


def test_on_sent_is_called_after_the_request_is_written_and_before_the_answer() -> None:
    sent: list[str] = []

    def behave(connection: socket.socket) -> None:
        wait_until(lambda: sent)
        connection.sendall(ANSWER)

    with serving(behave) as (server, transport):
        transport.send("POST", server.url, body=b"{}", on_sent=lambda: sent.append("sent"))
    assert sent == ["sent"]


def test_on_sent_is_not_called_for_a_request_that_was_not_sent() -> None:
    sent: list[str] = []
    transport = transport_to(FakeClock(), ServerClock(), "http://127.0.0.1:1")
    answer = transport.send("POST", "http://127.0.0.1:1", body=b"{}", on_sent=lambda: sent.append("sent"))
    transport.close()
    assert isinstance(answer, NotSent)
    assert sent == []


def test_connections_are_used_again() -> None:
    ports: list[int] = []

    def behave(connection: socket.socket) -> None:
        for _ in range(2):
            ports.append(connection.getpeername()[1])
            connection.sendall(ANSWER)
            if len(ports) == 1:
                read_request(connection)

    with serving(behave) as (server, transport):
        for _ in range(2):
            transport.send("POST", server.url, body=b"{}")
    assert len(set(ports)) == 1
