"""A run of this target whose standard input stays open, so that a benchmark can write to it while it measures."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import IO, TYPE_CHECKING, Any

from benchmarks.contenders import CONFIG, OURS
from benchmarks.machine import ENVIRONMENT
from benchmarks.process import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


class Feed:
    """One run; leaving the `with` block closes its standard input and waits for its end.

    Args:
        folder: Where it runs; made here.
        config: Its configuration.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True)
        (folder / CONFIG).write_text(json.dumps(dict(config)), encoding="utf-8")
        self._log = folder / "stderr"
        with (folder / "stdout").open("wb") as out, self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                OURS.command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=out, stderr=log
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._popen.kill()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        code = self._popen.wait()
        if code and error is None:
            raise self._failed()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._popen.stdin is not None  # noqa: S101 - a pipe was asked for
        return self._popen.stdin

    def write(self, line: bytes) -> float:
        """Write a line; the moment before, in monotonic seconds.

        Raises:
            RunFailedError: The target reads no more.
        """
        before = time.monotonic()
        try:
            self._stdin.write(line)
            self._stdin.flush()
        except BrokenPipeError:
            self._popen.wait()
            raise self._failed() from None
        return before

    def _failed(self) -> RunFailedError:
        last = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return RunFailedError(f"the target ended with exit code {self._popen.returncode}:\n{last}")
