"""Serve the sandbox alone until a signal ends it, for `engagevoice sandbox`."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, TextIO

from target_engagevoice.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(port: int, store: Path | None, config: Mapping[str, Any] | None, out: TextIO) -> int:
    """Serve until SIGTERM or SIGINT. Call it in the main thread, because it sets signal handlers.

    Args:
        port: TCP port; 0 for a free one.
        store: SQLite file; None for a private one that is deleted at the end.
        config: Settings that replace the defaults.
        out: The base URL is written to it as the first line.

    Returns:
        0, the exit code.

    Raises:
        ConfigError: The configuration is not valid, or the port is in use.
        StorageError: The store cannot be opened.
    """
    sandbox = Sandbox(store=store, config=config, port=port)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        with sandbox:
            print(sandbox.base_url, file=out, flush=True)
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
