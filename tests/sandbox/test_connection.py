from __future__ import annotations

import http.client
import json
import logging
import socket
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.routes import ENDPOINTS
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import Client, leads

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock

ACCOUNTS = "/voice/api/v1/admin/accounts"


def raw(sandbox: Sandbox, request: bytes) -> bytes:
    port = int(sandbox.origin.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_one_connection_serves_many_requests(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.origin.rpartition(":")[2]), timeout=10)
    sockets = set()
    for _ in range(3):
        connection.request("GET", ACCOUNTS, headers={"X-Auth-Token": "any"})
        assert connection.sock is not None
        sockets.add(connection.sock.getsockname())
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read()
    connection.close()
    assert len(sockets) == 1


def test_a_kept_connection_answers_without_delay(client: Client) -> None:
    client.admin("GET", "")
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        client.admin("GET", "")
        seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) < 0.03, "Nagle and delayed acknowledgement would take 40 ms"


def test_the_date_header_uses_the_clock(client: Client, clock: FakeClock) -> None:
    clock.advance(86_400)
    assert client.admin("GET", "").headers["Date"] == "Fri, 02 Jan 2026 00:00:00 GMT"


def test_chunked_bodies_are_read(client: Client) -> None:
    body = json.dumps({"uploadLeads": leads(3)}).encode()
    chunks = (body[start : start + 7] for start in range(0, len(body), 7))
    answer = client.admin("POST", "/99990001/campaigns/1001/leadLoader/direct", data=chunks)
    assert answer.json()["leadsInserted"] == 3


def test_an_incomplete_request_is_not_done(sandbox: Sandbox) -> None:
    head = f"POST {ACCOUNTS}/99990001/campaigns/1001/leadLoader/direct HTTP/1.1\r\nHost: localhost\r\n"
    assert raw(sandbox, f"{head}X-Auth-Token: a\r\nContent-Length: 500\r\n\r\n{{".encode()) == b""
    assert sandbox.requests() == []


def test_http_1_0_and_head_are_served(sandbox: Sandbox) -> None:
    old = raw(sandbox, f"GET {ACCOUNTS} HTTP/1.0\r\nX-Auth-Token: a\r\n\r\n".encode())
    assert b" 200 OK\r\n" in old
    assert old.endswith(b"]")
    head = raw(sandbox, f"HEAD {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: a\r\n\r\n".encode())
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("request_line", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_an_unreadable_request_is_400(sandbox: Sandbox, request_line: bytes) -> None:
    assert b"Error code: 400" in raw(sandbox, request_line)


def test_nothing_is_logged(client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("werkzeug").setLevel(logging.DEBUG)
    client.post("/api/auth/login/admin?username=a&password=wrong&platformId=c")
    client.load(leads(2))
    raw(client.sandbox, b"nonsense\r\n\r\n")
    client.sandbox.faults([{"on": "any", "do": "drop_after"}])
    with pytest.raises(OSError, match=r"reset|not connected"):
        raw(client.sandbox, f"GET {ACCOUNTS} HTTP/1.0\r\nX-Auth-Token: a\r\n\r\n".encode())
    assert [record for record in caplog.records if not record.name.startswith("urllib3")] == []
    assert capfd.readouterr() == ("", "")


def test_start_and_stop_can_be_repeated(clock: FakeClock) -> None:
    sandbox = Sandbox(clock=clock.time)
    sandbox.stop()
    assert sandbox.start() == sandbox.start() == sandbox.base_url
    assert sandbox.base_url == f"{sandbox.origin}/voice"
    sandbox.stop()
    sandbox.stop()


def test_a_stop_closes_idle_connections(sandbox: Sandbox) -> None:
    with Client(sandbox) as client:
        client.admin("GET", "")
        began = time.perf_counter()
        sandbox.stop()
        assert time.perf_counter() - began < 2


def test_a_port_can_be_used_again_at_once(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        client.admin("GET", "")
        port = int(sandbox.origin.rpartition(":")[2])
    with Sandbox(clock=clock.time, port=port) as sandbox, Client(sandbox) as client:
        assert client.admin("GET", "").status_code == 200


def test_a_taken_port_is_a_config_error(sandbox: Sandbox) -> None:
    port = int(sandbox.origin.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"port {port}.*try another, or 0"):
        Sandbox(port=port).start()
    with pytest.raises(ConfigError, match="port 70000"):
        Sandbox(port=70000).start()


def test_a_bug_of_the_sandbox_is_a_500_without_values(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("Ann Example")

    monkeypatch.setattr("target_engagevoice.sandbox.loader.lead_error", broken)
    answer = client.load(leads(1))
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "internal.error")
    assert "ValueError at" in caplog.text
    assert "Ann Example" not in caplog.text + answer.text


def test_no_route_is_in_the_table_twice() -> None:
    served = [(endpoint.method, rule) for endpoint in ENDPOINTS for rule in endpoint.rules(("v1", "legacy"))]
    assert len(served) == len(set(served))
