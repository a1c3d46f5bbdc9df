"""A run's journal of requests, read again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from target_engagevoice.api.exchanges import FULL, LOAD, Exchange
from target_engagevoice.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class KeptRequests:
    """The requests of a run, in the order they were sent.

    Attributes:
        full: Whether there were more than the journal had room for.
    """

    exchanges: tuple[Exchange, ...] = ()
    full: bool = False

    @property
    def loads(self) -> list[Exchange]:
        """Those to the loader, which the account's quota counts."""
        return [exchange for exchange in self.exchanges if exchange.kind == LOAD]


@dataclass(frozen=True)
class AnswerGroup:
    """Requests of one kind that were answered in the same way.

    Attributes:
        answer: The HTTP status, or what came in its place.
        words: The server's code; empty where it gave none.
        leads: In all of them.
        slowest: Seconds.
    """

    kind: str
    answer: str
    words: str
    count: int
    leads: int
    slowest: float


def read_requests(path: Path) -> KeptRequests:
    """Read a journal; nothing where there is none. A line that broke off, since the run was killed, is passed over.

    Raises:
        StorageError: It can not be read.
    """
    exchanges: list[Exchange] = []
    full = False
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    exchange = msgspec.convert(json.loads(line), Exchange)  # msgspec's own refuses broken Unicode
                except ValueError:
                    continue
                if exchange.kind == FULL:
                    full = True
                else:
                    exchanges.append(exchange)
    except (FileNotFoundError, NotADirectoryError):
        return KeptRequests()
    except OSError as error:
        msg = f"{path} can not be read: {error.strerror}."
        raise StorageError(msg) from None
    return KeptRequests(tuple(sorted(exchanges, key=lambda exchange: exchange.time)), full)


def answer_of(exchange: Exchange) -> str:
    """The HTTP status, or what came in its place."""
    return str(exchange.status) if exchange.status is not None else exchange.trouble or "no answer"


def words_of(exchange: Exchange) -> str:
    """What the server said, as far as it is kept."""
    if exchange.code:
        return exchange.code
    return "a message that is not kept, since it may quote a lead" if exchange.message else ""


def answer_groups(exchanges: Sequence[Exchange]) -> list[AnswerGroup]:
    """The requests by kind, answer and words; in the order in which the first of each was sent."""
    groups: dict[tuple[str, str, str], list[Exchange]] = {}
    for exchange in exchanges:
        groups.setdefault((exchange.kind, answer_of(exchange), words_of(exchange)), []).append(exchange)
    return [
        AnswerGroup(
            *key,
            count=len(members),
            leads=sum(member.leads or 0 for member in members),
            slowest=max(member.seconds for member in members),
        )
        for key, members in groups.items()
    ]
