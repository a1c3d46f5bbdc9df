"""Servers that send without end: a run ends in time, and in little memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import STATE_DIR, TARGET, running
from tests.support.messages import encoded, records, schema, state
from tests.support.raw_server import RawServer, trickle

if TYPE_CHECKING:
    import socket
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
LINES: list[dict[str, Any]] = [schema(), *records(4), state("end")]
LISTINGS: dict[str, Any] = {
    "accounts": [{"accountId": "99990001"}],
    "dialGroups": [{"dialGroupId": "501", "dialGroupName": "Outbound"}],
    "campaigns": [{"campaignId": "1001", "campaignName": "Renewals"}],
}


def config(server: RawServer, **more: Any) -> dict[str, Any]:
    return {"base_url": server.url, "api_token": "token", "campaign": "1001", **more}


@pytest.mark.timeout(120)
def test_a_run_ends_though_the_loader_and_the_search_answer_a_byte_at_a_time(tmp_path: Path) -> None:
    def behave(connection: socket.socket) -> None:
        path = server.requests[-1].split(b" ")[1].decode().rsplit("/", 1)[-1]
        if path in LISTINGS:
            body = json.dumps(LISTINGS[path]).encode()
            connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            trickle(OK + b"\r\n", b" ", 0.2)(connection)

    server = RawServer(behave)
    try:
        bounds = config(server, request_timeout_seconds=1, retry_max_seconds=3, max_in_flight=1)
        began = time.monotonic()
        with running(tmp_path, bounds) as run:
            run.write(*LINES)
            finished = run.finish()
        seconds = time.monotonic() - began
    finally:
        server.close()
    assert finished.code == 1
    assert finished.states == []
    assert seconds < 60
    assert sum(b"/direct " in request for request in server.requests) == 1  # not repeated blindly


def bomb(size: int) -> bytes:
    """So many blanks, compressed, in members of ten million."""
    return gzip.compress(b" " * 10_000_000) * (size // 10_000_000)


@pytest.mark.timeout(120)
def test_a_listing_that_is_a_bomb_is_an_error_and_costs_little_memory(tmp_path: Path) -> None:
    packed = bomb(3_000_000_000)
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    def behave(connection: socket.socket) -> None:
        connection.sendall(head + packed)

    server = RawServer(behave)
    try:
        (tmp_path / "config.json").write_text(json.dumps(config(server)), encoding="utf-8")
        finished = subprocess.run(
            ["/bin/sh", "-c", 'ulimit -v 2000000 && exec "$0" --config config.json', str(TARGET)],
            cwd=tmp_path,
            input=b"".join(encoded(line) for line in LINES),
            capture_output=True,
            timeout=100,
            check=False,
        )
    finally:
        server.close()
    assert finished.returncode == 1, finished.stderr
    assert b"accounts: the server sends an answer of more than 64 MB" in finished.stderr
    assert b"mistake in target-engagevoice" not in finished.stderr
    assert not (tmp_path / STATE_DIR / "rejects").exists()
