"""The sandbox: an HTTP server on loopback and its store.

::

    with Sandbox() as sandbox:
        ...  # base_url=sandbox.base_url, rc_server_url=sandbox.origin, any credentials
        sandbox.leads()

A request passes `connection.py`, `application.py`, `dispatch.py` and one of the endpoints that `routes.py` lists.
"""

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
from target_engagevoice.sandbox.call import SandboxState
from target_engagevoice.sandbox.config import SandboxConfig
from target_engagevoice.sandbox.connection import Connections, handler_for
from target_engagevoice.sandbox.fault_rules import FaultScript, read_rules
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
            at the same time and one after another. None for a private one that is deleted with this object.
        config: Settings that replace the defaults; see `SandboxConfig`.
        port: TCP port; 0 for a free one.
        clock: Returns epoch seconds. Tokens, rate windows, `loadedDts`, the delay of the search and `Date` use it.

    Raises:
        ConfigError: The configuration is not valid, or `store` is another kind of file.
        StorageError: The store cannot be opened.

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
        self._faults = FaultScript(self.config.faults)
        self._port = port
        self._clock = clock
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._connections = Connections()

    def start(self) -> str:
        """Start to serve, in daemon threads.

        Returns:
            The base URL.

        Raises:
            ConfigError: The port is in use, or this process may not use it.
        """
        if self._server is not None:
            return self.base_url
        state = SandboxState(self._store, self.config, self._faults, self._clock)
        self._connections = Connections()
        # Bound here, because werkzeug prints and exits if the port is in use.
        with contextlib.closing(_bind(self._port)) as listener:
            self._server = make_server(
                HOST,
                0,
                application.create(state),
                threaded=True,
                request_handler=handler_for(self._connections, self._clock, self.config.personality),
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
        """Stop serving: close the connections, wait for the threads, close the store. The store can still be read."""
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
        """The stored leads, of all campaigns or of one.

        Returns:
            The leads in the order of loading, as the search shows them, also those that the search does not find yet.
            `fields` holds the fields as they were sent.
        """
        with self._store.transaction() as db:
            return application.all_leads(db, None if campaign_id is None else str(campaign_id))

    def lists(self) -> list[dict[str, Any]]:
        """All lists of all campaigns, one for each load."""
        with self._store.transaction() as db:
            return listing.every_list(db)

    def dnc(self) -> list[dict[str, Any]]:
        """The do-not-call entries."""
        with self._store.transaction() as db:
            return dnc.every(db)

    def requests(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The journal: all requests, or those of one kind.

        Each has `kind`, `at`, `status`, `campaign_id`, `leads`, `path` and `fault`.
        `status` is None where no answer was sent. The journal holds no secrets and no personal data.
        """
        with self._store.transaction() as db:
            return journal.read(db, kind)

    def faults(self, script: list[dict[str, Any]]) -> None:
        """Put another fault script in force; see `fault_rules.py` for the rules.

        Raises:
            ConfigError: A rule is not valid.
        """
        self._faults.replace(read_rules(script, "faults"))


def _bind(port: int) -> socket.socket:
    if not 0 <= port <= PORT_MAX:
        raise ConfigError(f"the sandbox cannot listen on port {port}: use one from 1 to {PORT_MAX}, or 0 for any")
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        reason = f"the sandbox cannot listen on port {port}: {error.strerror}"
        raise ConfigError(f"{reason}; try another, or 0 for any that is free") from error
