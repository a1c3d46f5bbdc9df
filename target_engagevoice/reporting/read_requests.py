"""Reads the journal of requests that a run left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from target_engagevoice.api.request_journal import FULL, LOAD, Exchange
from target_engagevoice.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class PastRequests:
    """The requests of a run, in the order they were sent.

    Attributes:
        full: Whether the journal reached its largest size, and later requests are not in it.
    """

    exchanges: tuple[Exchange, ...] = ()
    full: bool = False

    @property
    def loads(self) -> list[Exchange]:
        """The requests to the loader, which count against the account's quota."""
        return [exchange for exchange in self.exchanges if exchange.kind == LOAD]


@dataclass(frozen=True)
class AnswerGroup:
    """Requests of one kind with the same answer.

    Attributes:
        answer: See `answer_text`.
        message: See `message_text`.
        leads: The number of leads in all of them.
        slowest: The longest time for an answer, in seconds.
    """

    kind: str
    answer: str
    message: str
    count: int
    leads: int
    slowest: float


def read_requests(path: Path) -> PastRequests:
    """Read a journal; one that does not exist is empty. A line that a killed run left incomplete is skipped.

    Raises:
        StorageError: The file cannot be read.
    """
    exchanges: list[Exchange] = []
    full = False
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    exchange = msgspec.convert(json.loads(line), Exchange)  # msgspec's decoder refuses broken Unicode
                except ValueError:
                    continue
                if exchange.kind == FULL:
                    full = True
                else:
                    exchanges.append(exchange)
    except (FileNotFoundError, NotADirectoryError):
        return PastRequests()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise StorageError(msg) from None
    return PastRequests(tuple(sorted(exchanges, key=lambda exchange: exchange.time)), full)


def answer_text(exchange: Exchange) -> str:
    """The HTTP status, or what happened when there was none, such as a timeout."""
    return str(exchange.status) if exchange.status is not None else exchange.trouble or "no answer"


def message_text(exchange: Exchange) -> str:
    """The server's code; empty where it gave none. Its messages are not kept, since they may quote a lead."""
    if exchange.code:
        return exchange.code
    return "a message, not kept because it may quote a lead" if exchange.message else ""


def answer_groups(exchanges: Sequence[Exchange]) -> list[AnswerGroup]:
    """The requests by kind, answer and message, in the order in which the first of each group was sent."""
    groups: dict[tuple[str, str, str], list[Exchange]] = {}
    for exchange in exchanges:
        groups.setdefault((exchange.kind, answer_text(exchange), message_text(exchange)), []).append(exchange)
    return [
        AnswerGroup(
            *key,
            count=len(members),
            leads=sum(member.leads or 0 for member in members),
            slowest=max(member.seconds for member in members),
        )
        for key, members in groups.items()
    ]
