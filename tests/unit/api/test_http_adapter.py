"""No server keeps a request longer than its time-out, or fills the memory, whatever it sends and however slowly."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import subprocess
import time
import tracemalloc
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.api import response_body
from target_engagevoice.api.answers import Oversized, Unknown
from target_engagevoice.api.auth.authentication import authentication
from target_engagevoice.api.auth.credentials import LegacyLogin
from target_engagevoice.api.client import Client
from target_engagevoice.api.transport import HttpAnswer, Transport
from target_engagevoice.errors import ServerError, SignInError
from target_engagevoice.halt import Halt
from tests.support.factories import USER_AGENT
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import RawServer, pour, read_request, say, serving, trickle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TIMEOUT = 0.5
LATE = 3.0
"""A busy machine may take so long to notice that the time is over."""

MEGABYTE = b" " * 1_000_000
TRICKLES = {
    "the status line": (b"", b" "),
    "a header": (HEAD, b" "),
    "the body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "a body without a length": (HEAD + b"\r\n", b" "),
    "a chunk's length": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "informational answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""What is sent at once, and what is then sent again and again."""


def send(behave: Callable[[socket.socket], None], timeout: float = 20.0) -> Any:
    """The fate of a load that the server answers like this."""
    with serving(behave, timeout) as (server, transport):
        return transport.send("POST", server.url, body=b"{}")


@pytest.mark.parametrize("part", TRICKLES)
def test_an_answer_that_trickles_is_unknown_when_the_time_is_over(part: str) -> None:
    began = time.monotonic()
    assert send(trickle(*TRICKLES[part]), TIMEOUT) == Unknown("no answer in time")
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + LATE


def test_a_request_that_the_server_does_not_read_is_unknown_when_the_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with serving(say(b""), TIMEOUT) as (_, transport):
            began = time.monotonic()
            answer = transport.send("POST", url, body=MEGABYTE * 20)
    assert answer == Unknown("no answer in time")
    assert time.monotonic() - began < TIMEOUT + LATE


def test_all_addresses_of_a_host_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(address: tuple[str, int], timeout: float, *_: Any, **__: Any) -> None:
        del address
        time.sleep(min(timeout, TIMEOUT))
        raise TimeoutError("timed out")

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", 9)) for last in range(1, 9)]
    with serving(say(b""), TIMEOUT) as (_, transport):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
        began = time.monotonic()
        answer = transport.send("POST", "http://many.example.com/", body=b"{}")
    assert type(answer).__name__ == "NotSent"
    assert time.monotonic() - began < TIMEOUT + LATE


def test_a_slow_answer_in_time_is_an_answer() -> None:
    def behave(connection: socket.socket) -> None:
        for byte in HEAD + b"Content-Length: 2\r\n\r\n{}":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)

    assert send(behave).body == b"{}"


def memory_of(call: Callable[[], Any]) -> tuple[Any, int]:
    """The result of a call, and the bytes it held at its peak."""
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ENDLESS = {
    "a gigabyte with its length": (b"Content-Length: 1000000000\r\n\r\n", MEGABYTE),
    "a body without an end": (b"\r\n", MEGABYTE),
    "chunks without an end": (b"Transfer-Encoding: chunked\r\n\r\n", b"f4240\r\n" + MEGABYTE + b"\r\n"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_without_bounds_is_not_read_to_its_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    head, piece = ENDLESS[kind]
    answer, peak = memory_of(lambda: send(pour(HEAD + head, itertools.repeat(piece, 1000))))
    assert answer == Oversized()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "head", [b"", HEAD + b"X-Long: ", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], ids=["status", "header", "chunk"]
)
def test_a_line_without_an_end_is_not_read_to_its_end(head: bytes) -> None:
    answer, peak = memory_of(lambda: send(pour(head, itertools.repeat(b"1" * 1_000_000, 1000))))
    assert isinstance(answer, Unknown)
    assert peak < 20_000_000


def bomb(size: int, window_bits: int = 31) -> bytes:
    """So many zeros, compressed."""
    packer = zlib.compressobj(9, wbits=window_bits)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(size // len(zeros))) + packer.flush()


@pytest.mark.parametrize(("coding", "window_bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_a_bomb_is_not_decompressed(coding: str, window_bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    packed = bomb(200_000_000, window_bits)
    head = HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(packed))
    answer, peak = memory_of(lambda: send(say(head + packed)))
    assert answer == Oversized()
    assert peak < 30_000_000


def test_a_bomb_in_a_bomb_is_not_decompressed() -> None:
    packed = gzip.compress(bomb(50_000_000))
    head = HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert isinstance(send(say(head + packed)), Unknown)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}')),
        ("x-gzip", gzip.compress(b'{"a": 1}')),
        ("GZIP", gzip.compress(b'{"a"') + gzip.compress(b": 1}")),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}')[2:-4]),
        ("identity", b'{"a": 1}'),
    ],
    ids=["gzip", "x-gzip", "two members", "deflate", "raw deflate", "identity"],  # gzip writes the time
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_compressed_answer_is_decompressed(coding: str, packed: bytes, chunked: bool) -> None:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed) if chunked else packed
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(packed)
    answer = send(say(HEAD + length + b"\r\nContent-Encoding: " + coding.encode() + b"\r\n\r\n" + body))
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b'{"a": 1}'


@pytest.mark.parametrize("size", [1, 12, 20])
def test_a_compressed_answer_that_breaks_off_is_unknown(size: int) -> None:
    packed = gzip.compress(b'{"leadsAccepted": 1}')[:size]
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % size
    assert isinstance(send(say(head + packed)), Unknown)


def test_the_body_of_a_redirect_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"
    assert send(pour(head, itertools.repeat(MEGABYTE, 1000))) == Oversized()


def client_to(server: RawServer, transport: Transport, clock: FakeClock) -> Client:
    return Client(
        base_url=server.url,
        api_version="v1",
        transport=transport,
        clock=clock,
        halt=Halt(clock),
        retry_max_seconds=0.0,
        advice="Sign in again.",
        ready=lambda: None,
    )


def test_a_listing_that_trickles_ends() -> None:
    with serving(trickle(HEAD, b" "), TIMEOUT) as (server, transport):
        began = time.monotonic()
        with pytest.raises(ServerError, match="no answer in time"):
            client_to(server, transport, FakeClock()).resolve_account("~")
    assert time.monotonic() - began < TIMEOUT + LATE


def test_a_listing_of_any_size_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    with (
        serving(pour(HEAD + b"\r\n", itertools.repeat(MEGABYTE, 1000)), 20) as (server, transport),
        pytest.raises(ServerError, match="more than 64 MB"),
    ):
        client_to(server, transport, FakeClock()).resolve_account("~")
    assert len(server.requests) == 1


def sign_in_failure(behave: Callable[[socket.socket], None], timeout: float) -> str:
    server = RawServer(behave)
    try:
        auth = authentication(
            LegacyLogin("user", "s3cret"),
            base_url=server.url,
            session=None,
            timeout=timeout,
            retry_max_seconds=0,
            clock=FakeClock(),
            user_agent=USER_AGENT,
        )
        with pytest.raises(SignInError) as caught:
            auth.sign_in()
        return str(caught.value)
    finally:
        server.close()


def test_a_sign_in_that_trickles_ends() -> None:
    began = time.monotonic()
    assert "did not answer in time" in sign_in_failure(trickle(HEAD + b"\r\n", b" "), TIMEOUT)
    assert time.monotonic() - began < TIMEOUT + LATE


def test_a_sign_in_of_any_size_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    problem, peak = memory_of(
        lambda: sign_in_failure(pour(HEAD + b"\r\n", itertools.repeat(MEGABYTE, 1000)), 20.0),
    )
    assert "sent an answer of more than 64 MB" in problem
    assert peak < 20_000_000


def test_a_refused_token_is_renewed_though_the_refusal_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body of a 401 is read before the token is renewed; it is bounded as well."""
    monkeypatch.setattr(response_body, "MOST_BODY_BYTES", 5_000_000)
    answer = send(pour(b"HTTP/1.1 401 X\r\n\r\n", itertools.repeat(MEGABYTE, 1000)))
    assert answer == Oversized()


def test_what_a_sign_in_sends_is_not_reported_as_the_request() -> None:
    """A load counts as sent when it is written itself, not when the token that it needs is asked for."""
    events: list[str] = []

    def behave(connection: socket.socket) -> None:
        request = server.requests[-1].split(b" ")[1]
        events.append(request.decode())
        body = b'{"authToken": "token"}' if b"login" in request else b"{}"
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    server = RawServer(behave)
    clock = FakeClock()
    with serving(say(b"")) as (_, unused):
        auth = authentication(
            LegacyLogin("user", "s3cret"),
            base_url=server.url,
            session=None,
            timeout=5,
            retry_max_seconds=0,
            clock=clock,
            user_agent=USER_AGENT,
        )
        transport = Transport(
            authentication=auth,
            connections=1,
            timeout=5,
            user_agent=USER_AGENT,
            clock=clock,
            server_clock=unused._server_clock,
        )
        transport.send("POST", f"{server.url}/load", body=b"{}", on_sent=lambda: events.append("sent"))
        transport.close()
    server.close()
    assert sorted(events[1:]) == ["/voice/load", "sent"]
    assert "login" in events[0]


@pytest.mark.parametrize("seconds", [1e9, 1e300])
def test_any_time_out_can_be_set(seconds: float) -> None:
    assert send(say(HEAD + b"Content-Length: 2\r\n\r\n{}"), seconds).body == b"{}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(["openssl", *kind, *names, *files], check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


TLS_ANSWERS: dict[str, tuple[bytes, Any]] = {
    "in time": (HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n", None),
    "that trickles": (HEAD + b"Content-Length: 100000\r\n\r\n", Unknown("no answer in time")),
}


@pytest.mark.parametrize("kind", TLS_ANSWERS)
def test_the_bounds_hold_on_tls(kind: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    head, expected = TLS_ANSWERS[kind]

    def behave(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            read_request(secure)
            trickle(head, b" ")(secure)

    with serving(behave, 1.0, reads=False) as (server, transport):
        began = time.monotonic()
        answer = transport.send("POST", server.url.replace("http:", "https:"), body=b"{}" * 100_000)
    assert time.monotonic() - began < 1 + LATE
    assert answer == expected if expected else isinstance(answer, HttpAnswer)


def test_a_handshake_without_an_end_ends() -> None:
    with serving(trickle(b"", b"\x16"), TIMEOUT, reads=False) as (server, transport):
        began = time.monotonic()
        answer = transport.send("POST", server.url.replace("http:", "https:"), body=b"{}")
    assert isinstance(answer, Unknown)
    assert time.monotonic() - began < TIMEOUT + LATE
