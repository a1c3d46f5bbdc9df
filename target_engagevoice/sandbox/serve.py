"""Serving the sandbox alone, until somebody ends it: what `engagevoice sandbox` does."""

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
    """Serve until SIGTERM or SIGINT. To be called in the main thread, as signal handlers are set there.

    Args:
        port: TCP port; 0 for a free one.
        store: SQLite file; none for a private one that goes away at the end.
        config: What replaces the defaults.
        out: Gets the base URL as its first line.

    Returns:
        0, the exit code.

    Raises:
        ConfigError: The configuration does not fit, or the port is taken.
        StorageError: The store can not be opened.
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
