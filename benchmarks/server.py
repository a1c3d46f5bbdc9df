"""A small Engage Voice that costs little and counts every request of a run with `api_token`.

It runs in its own process, `python -m benchmarks.server '<script>'`, and prints its port. `loopback.py` starts it.
It speaks just enough HTTP/1.1 for one client: kept-alive connections, a `Content-Length`, one request at a time each.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from benchmarks.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.script import Window

ACCOUNT = "99990001"
DIAL_GROUP = "501"
JOURNAL_PATH = "/journal"
"""Where the benchmark asks what has arrived."""

_LEAD_MARK = b'"externId"'
_LEAD_ID = re.compile(rb'"externId": ?"([^"]*)"')
_LOADER = re.compile(r"/campaigns/(\d+)/leadLoader/direct$")
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Gate:
    """Sliding windows over what is served: a request that is refused does not count. Owned by the event loop."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._windows = [(window, deque[float](maxlen=window.requests)) for window in windows]

    def admit(self, at: float) -> bool:
        """Whether every window has room for a request that arrives at this moment, in seconds; if so it counts."""
        for window, served in self._windows:
            if len(served) == window.requests and at - served[0] < window.seconds:
                return False
        for _, served in self._windows:
            served.append(at)
        return True


class Service:
    """What the server knows. Owned by the event loop.

    Attributes:
        loads: One row a load: `[arrived, answered, status, campaign, leads, ids]`, moments in monotonic seconds.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._gate = Gate(script.windows)
        self._draw = random.Random(script.seed)  # noqa: S311 - nothing secret is drawn
        self._reads = 0
        self.loads: list[list[Any]] = []

    def answer(self, path: str, body: bytes | memoryview, arrived: float) -> tuple[int, bytes, float]:
        """Status, body, and seconds to wait before sending them."""
        loader = _LOADER.search(path)
        if loader is not None:
            return self._load(loader[1], bytes(body), arrived)
        if path == JOURNAL_PATH:
            return 200, json.dumps({"reads": self._reads, "loads": self.loads}).encode(), 0.0
        self._reads += 1
        return 200, json.dumps(self._rows(path)).encode(), 0.0

    def _load(self, campaign: str, body: bytes, arrived: float) -> tuple[int, bytes, float]:
        if not self._gate.admit(arrived):
            self.loads.append([arrived, arrived, 429, campaign, 0, []])
            return 429, b"rate", 0.0
        leads = body.count(_LEAD_MARK)
        ids = [found.decode() for found in _LEAD_ID.findall(body)] if self._script.keep_ids else []
        wait = self._draw.uniform(*self._script.latency)
        self.loads.append([arrived, arrived + wait, 200, campaign, leads, ids])
        counts = {"leadsSupplied": leads, "leadsAccepted": leads, "leadsInserted": leads}
        fixed = {"processingResult": "OK", "processingStatus": "DEFAULT_NOT_A_FAILURE", "rejectedRows": []}
        return 200, json.dumps(counts | fixed).encode(), wait

    def _rows(self, path: str) -> list[dict[str, Any]]:
        """The directory; the lead search finds nothing."""
        if path.endswith("/accounts"):
            return [{"accountId": ACCOUNT, "accountName": "Benchmark", "mainAccountId": ACCOUNT}]
        if path.endswith("/dialGroups"):
            return [{"dialGroupId": DIAL_GROUP, "dialGroupName": "Outbound", "dialMode": "PREDICTIVE"}]
        if path.endswith("/campaigns"):
            ids = self._script.campaign_ids
            return [{"campaignId": name, "campaignName": f"Campaign {name}", "isActive": 1} for name in ids]
        return []


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = bytearray()
        self._wanted = 0
        self._arrived = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's own promise for TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole. It arrived when its first byte did."""
        if not self._received:
            self._arrived = time.monotonic()
        self._received += data
        if len(self._received) < self._wanted:
            return
        end = self._received.find(_HEAD_END)
        if end < 0:
            return
        head = bytes(self._received[:end])
        length = _LENGTH.search(head)
        start = end + len(_HEAD_END)
        self._wanted = start + (int(length[1]) if length is not None else 0)
        if len(self._received) < self._wanted:
            return
        path = head.split(b" ", 2)[1].decode().partition("?")[0]
        body = bytes(self._received[start : self._wanted])
        self._received.clear()
        self._wanted = 0
        status, content, wait = self._service.answer(path, body, self._arrived)
        if wait:
            asyncio.get_running_loop().call_later(wait, self._send, status, content)
        else:
            self._send(status, content)

    def _send(self, status: int, content: bytes) -> None:
        kind = "application/json" if status == 200 else "text/plain"  # noqa: PLR2004 - HTTP
        head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nDate: {formatdate(usegmt=True)}\r\n"
        assert self._transport is not None  # noqa: S101 - nothing is received before the connection is made
        self._transport.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)


async def serve(script: Script) -> None:
    """Serve on a free port of loopback, printed first, until the process is ended."""
    service = Service(script)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Script.read(sys.argv[1])))
