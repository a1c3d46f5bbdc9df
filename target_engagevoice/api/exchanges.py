"""One request and what came of it, as a line of a run's journal of requests holds it."""

from __future__ import annotations

import msgspec

LOAD, CHANGE, ACTION, DO_NOT_CALL = "load", "change", "action", "do_not_call"
SEARCH, LISTING = "search", "list"
FULL = "full"
"""The kind of a journal's last line when there was no room for more; it is no request."""


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A request. No name, phone or text of the server's is in it.

    Attributes:
        time: When it was sent, ISO 8601, UTC.
        seconds: Until its answer was read, or what took its place was known.
        kind: `load`, `change`, `action` (on leads), `do_not_call` (the account's list), `search`, `list` (accounts,
            dial groups, campaigns).
        campaign_id: What it was for, where it was for one campaign.
        stream: Whose leads a load held.
        batch: The batch's number in its stream and campaign, from 1; several requests of a batch that was halved have
            the same.
        list: The list's description.
        leads: How many leads were in it, or asked for by it.
        status: HTTP's; None when no answer came.
        trouble: What came in place of an answer.
        retry: Whether the same leads had been sent before.
        counts: What the server counted, by its own names; only what is not zero.
        code: The server's code for what it thinks of it, when it is one for sure.
        message: `text` when the server said more, which is not kept.
    """

    time: str
    kind: str
    seconds: float = 0.0
    campaign_id: str | None = None
    stream: str | None = None
    batch: int | None = None
    list: str | None = None
    leads: int | None = None
    status: int | None = None
    trouble: str | None = None
    retry: bool = False
    counts: dict[str, int] = {}
    code: str | None = None
    message: str | None = None

    @property
    def throttled(self) -> bool:
        """Whether the server said that it was one too many."""
        return self.status == 429  # noqa: PLR2004 - Too Many Requests
