"""The sandbox itself: a server on loopback over a store, started and stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox import application, dnc, journal, listing
from target_engagevoice.sandbox.call import World
from target_engagevoice.sandbox.config import SandboxConfig
from target_engagevoice.sandbox.connection import Connections, handler_for
from target_engagevoice.sandbox.faults import Faults, read_rules
from target_engagevoice.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self
    from werkzeug.serving import BaseWSGIServer

HOST = "127.0.0.1"
PORT_MAX = 65535
POLL_SECONDS = 0.02


class Sandbox:
    """A small Engage Voice on loopback (contract, section 6).

    Args:
        store: SQLite file, created `0600` with its missing parents `0700`; several sandboxes may share one,
            at the same time and one after another. None for a private one that goes away with this object.
        config: What replaces the defaults; see `SandboxConfig`.
        port: TCP port; 0 for a free one.
        clock: Epoch seconds; tokens, rate windows, `loadedDts`, the search's delay and `Date` go by it.

    Raises:
        ConfigError: The configuration does not fit, or `store` is some other file.
        StorageError: The store can not be opened.

    Attributes:
        base_url: `http://127.0.0.1:PORT/voice`, once started.
        origin: `http://127.0.0.1:PORT`, once started: also the address of RingCentral's platform.
    """

    def __init__(
        self,
        *,
        store: Path | str | None = None,
        config: Mapping[str, Any] | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = SandboxConfig.read(config)
        self.base_url = ""
        self.origin = ""
        self._store = Store(None if store is None else Path(store))
        self._faults = Faults(self.config.faults)
        self._port = port
        self._clock = clock
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._connections = Connections()

    def start(self) -> str:
        """Begin to serve, in daemon threads.

        Returns:
            The base URL.

        Raises:
            ConfigError: The port is taken or may not be used.
        """
        if self._server is not None:
            return self.base_url
        world = World(self._store, self.config, self._faults, self._clock)
        self._connections = Connections()
        # Bound here and handed over: werkzeug would print and exit if the port were taken.
        with contextlib.closing(_bind(self._port)) as listener:
            self._server = make_server(
                HOST,
                0,
                application.create(world),
                threaded=True,
                request_handler=handler_for(self._connections, self._clock),
                fd=listener.fileno(),
            )
        self._store.open()
        self.origin = f"http://{HOST}:{self._server.port}"
        self.base_url = f"{self.origin}/voice"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="sandbox", daemon=True
        )
        self._thread.start()
        return self.base_url

    def stop(self) -> None:
        """Stop serving: hang up, wait for the threads, close the store. What it holds can still be read."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join()
        self._connections.close()
        self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def leads(self, campaign_id: int | str | None = None) -> list[dict[str, Any]]:
        """Everything stored, or that of one campaign.

        Returns:
            In the order of loading, as the search shows them, found yet or not; `fields` as they were sent.
        """
        with self._store.transaction() as db:
            return application.all_leads(db, None if campaign_id is None else str(campaign_id))

    def lists(self) -> list[dict[str, Any]]:
        """Every list of every campaign: one for each load."""
        with self._store.transaction() as db:
            return listing.every_list(db)

    def dnc(self) -> list[dict[str, Any]]:
        """The do-not-call entries."""
        with self._store.transaction() as db:
            return dnc.every(db)

    def requests(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The journal, or the requests of one kind.

        Each has `kind`, `at`, `status`, `campaign_id`, `leads`, `path` and `fault`.
        `status` is None where no answer was sent. No secret and no personal data stands there.
        """
        with self._store.transaction() as db:
            return journal.read(db, kind)

    def faults(self, script: list[dict[str, Any]]) -> None:
        """Put another fault script in force; see `faults.py` for the rules.

        Raises:
            ConfigError: A rule does not fit.
        """
        self._faults.replace(read_rules(script, "faults"))


def _bind(port: int) -> socket.socket:
    if not 0 <= port <= PORT_MAX:
        raise ConfigError(f"the sandbox can not listen on port {port}: use one from 1 to {PORT_MAX}, or 0 for any")
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        reason = f"the sandbox can not listen on port {port}: {error.strerror}"
        raise ConfigError(f"{reason}; try another, or 0 for any that is free") from error
