"""The session at one account, with its campaigns: what a run and the operator's commands start from."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from target_engagevoice.api.auth.authentication import authentication
from target_engagevoice.api.auth.credentials import JwtGrant
from target_engagevoice.api.client import Client
from target_engagevoice.api.server_clock import ServerClock
from target_engagevoice.api.transport import Transport
from target_engagevoice.errors import ServerError
from target_engagevoice.logger import NAME, logger
from target_engagevoice.mapping.personas import needs_labels
from target_engagevoice.model.campaign import Directory
from target_engagevoice.private_files import make_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_engagevoice.api.auth.authentication import Authentication
    from target_engagevoice.api.auth.credentials import Credentials
    from target_engagevoice.api.request_journal import RequestJournal
    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings
    from target_engagevoice.halt import Halt
    from target_engagevoice.model.account import Account


SANDBOX_STORE = "sandbox.db"


@dataclass(frozen=True)
class Connection:
    """An account, signed in.

    Attributes:
        base_url: Where it is; the embedded sandbox's address when the run brings its own.
        close: Ends the connections, and the sandbox.
    """

    base_url: str
    account: Account
    client: Client
    directory: Directory
    server_clock: ServerClock
    close: Callable[[], None]

    @property
    def account_id(self) -> str:
        """The id of the account."""
        return self.account.account_id

    @property
    def quota(self) -> str:
        """Whose requests count together: host and account, such as `ringcx.ringcentral.com 99990001`."""
        return f"{urlsplit(self.base_url).netloc.casefold()} {self.account_id}"


def connect(
    settings: Settings, clock: Clock, halt: Halt, version: str, journal: RequestJournal | None = None
) -> Connection:
    """Sign in, find the account and list its campaigns.

    Args:
        settings: Where and who.
        clock: For time-outs and tokens.
        halt: What stops waiting.
        version: Of this package, for the `User-Agent`, which the reference (section 1) asks to be stable.
        journal: Records each request except those of the sign-in; None for no journal.

    Raises:
        ConfigError: The account is not known.
        SignInError: The server refuses the credentials.
        ServerError: The server does not answer.
        StorageError: The embedded sandbox cannot write its store.
    """
    with ExitStack() as closers:
        base_url, credentials = _server(settings, closers)
        user_agent = f"{NAME}/{version}"
        sign_in: Authentication = authentication(
            credentials,
            base_url=base_url,
            session=None,
            timeout=settings.request_timeout_seconds,
            retry_max_seconds=settings.retry_max_seconds,
            clock=clock,
            user_agent=user_agent,
        )
        server_clock = ServerClock()
        transport = Transport(
            authentication=sign_in,
            connections=settings.max_in_flight,
            timeout=settings.request_timeout_seconds,
            user_agent=user_agent,
            clock=clock,
            server_clock=server_clock,
        )
        closers.callback(transport.close)
        client = Client(
            base_url=base_url,
            api_version=settings.api_version,
            transport=transport,
            clock=clock,
            halt=halt,
            retry_max_seconds=settings.retry_max_seconds,
            advice=sign_in.advice,
            ready=sign_in.ready,
            journal=journal,
        )
        sign_in.sign_in()
        account = client.resolve_account(settings.account_id)
        if settings.account_id != "~":
            account = client.shown_account()
        directory = _with_labels(client, settings, client.directory())
        return Connection(base_url, account, client, directory, server_clock, closers.pop_all().close)


def _server(settings: Settings, closers: ExitStack) -> tuple[str, Credentials]:
    """Where to sign in, and as whom; starts the embedded sandbox where the settings name it."""
    credentials = settings.credentials
    if not settings.embedded_sandbox:
        return settings.base_url, credentials
    from target_engagevoice.sandbox.sandbox import Sandbox  # noqa: PLC0415 - a run against RingCentral needs no server

    make_private(settings.state_dir)
    sandbox = Sandbox(store=settings.state_dir / SANDBOX_STORE)
    base_url = sandbox.start()
    closers.callback(sandbox.stop)
    if isinstance(credentials, JwtGrant):
        credentials = replace(credentials, rc_server_url=sandbox.origin)
    return base_url, credentials


def _with_labels(client: Client, settings: Settings, directory: Directory) -> Directory:
    """The directory with the labels of the account's phones, where they matter and the server gives them."""
    if not needs_labels(settings.stream_rules, directory):
        return directory
    try:
        return Directory(directory.campaigns, client.phone_labels())
    except ServerError as error:
        logger.debug("The labels of the account's phones: %s", error)
        return directory
