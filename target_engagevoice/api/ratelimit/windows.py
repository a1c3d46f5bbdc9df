"""Sliding windows (`pyrate-limiter`): whether one more request fits, and when it will."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

from target_engagevoice.api.ratelimit.share import WIDEST_MARGIN_SECONDS, Share
from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

JITTER_MARGIN_SECONDS = 0.1
"""The server counts a request when it arrives, we when it is written to the socket: a window is kept this much longer
than asked, so that a slow request followed by a fast one does not make thirty-one in ten seconds over there.

What has to fit in is not the latency, only by how much the way there differs from one request to another. The thread's
turn, the connection and its handshakes do not count: they come before the request is written (`SlidingWindows.left`).
Each full ten seconds cost the margin once, so a tenth of a second costs 1 % of the quota where a quarter cost
2.5 %. Simulated with 8 senders at 1 to 3 s a request, 100 batches take 1.046 times the shortest schedule in the
median with 0.1 s, 1.059 times with 0.25 s, and 1.037 times with none: the rest is that the ten last requests do not
fit into eight senders (with ten senders it is 1.009). A margin that proves too small is widened after the first 429
(`SlidingWindows.throttled`)."""

UNITS = 1_000_000
"""Places are stamped in microseconds."""

LONGEST_NAP_SECONDS = 1.0
"""While the share grows a place may come earlier than it seemed: after so long it is asked for again."""


@dataclass(frozen=True)
class Window:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `"30/10s"`.

        Raises:
            ConfigError: The text has another form, or a number in it is zero.
        """
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s\s*", text)
        if not match or int(match[1]) == 0 or float(match[2]) == 0:
            msg = f'rate_limits: {text!r} is not a window; write requests/seconds, such as "30/10s".'
            raise ConfigError(msg)
        return cls(int(match[1]), float(match[2]))

    def __str__(self) -> str:
        """As it is written in `rate_limits`."""
        return f"{self.requests}/{self.seconds:g}s"


@dataclass(frozen=True)
class InUse:
    """How much of a window is taken: so many of its requests were made within its seconds."""

    window: Window
    taken: int


@dataclass(frozen=True)
class Turn:
    """The answer to whether a request may go.

    Attributes:
        at: When it may, on the clock that stamps places.
        wait: Seconds until it is worth asking again; 0 when the place is taken.
    """

    at: float
    wait: float


class SlidingWindows:
    """The places taken, and what one more needs. Owned by whoever made it, who lets in one thread at a time.

    A place is taken now or not at all; none is reserved ahead. A 429 or a pause between the reservation and
    its time would waste it, and the share may grow meanwhile.

    Args:
        windows: What the server allows, in any order.
        margin: Seconds that each is kept longer.
        places: Stamps of requests already made, in microseconds, ascending.
        share: What is used of the windows.
    """

    def __init__(
        self, windows: Iterable[Window], margin: float, places: Iterable[int] = (), share: Share | None = None
    ) -> None:
        from pyrate_limiter import Rate, RateItem  # noqa: PLC0415 - `--help` does not need it

        from target_engagevoice.api.ratelimit.places import Places  # noqa: PLC0415

        self._rate, self._item = Rate, RateItem
        self._windows = _needed(windows)
        self._margin = margin
        self._places = Places([Rate(1, 1)])
        self._places.items = [RateItem("", stamp) for stamp in places]
        self.share = share or Share()

    @property
    def stamps(self) -> list[int]:
        """The places that still count, in microseconds, ascending."""
        return [item.timestamp for item in self._places.items]

    def in_use(self, now: float) -> tuple[InUse, ...]:
        """What is taken of each window at this moment, the shortest window first."""
        stamps = self.stamps
        return tuple(
            InUse(each, len(stamps) - bisect_right(stamps, floor((now - each.seconds) * UNITS)))
            for each in self._windows
        )

    def take(self, now: float) -> Turn:
        """Take a place at this moment, if there is one.

        Args:
            now: Seconds, on a clock that is never behind an earlier call's.
        """
        if now < self.share.not_before:
            return Turn(now, self.share.not_before - now)
        places, stamp, share = self._places, floor(now * UNITS), self.share.at(now)
        margin = max(self._margin, self.share.margin)
        places.rates = [
            self._rate(max(1, floor(each.requests * share + 1e-9)), ceil((each.seconds + margin) * UNITS))
            for each in self._windows
        ]
        places.rates = [  # those of a small share may come to allow the same: the longer one holds
            rate
            for rate, longer in zip(places.rates, [*places.rates[1:], None], strict=True)
            if longer is None or longer.limit > rate.limit
        ]
        longest = self._windows[-1].seconds + WIDEST_MARGIN_SECONDS
        places.items = places.items[bisect_right(self.stamps, stamp - ceil(longest * UNITS)) :]
        item = self._item("", stamp)
        if places.put(item):
            return Turn(now, 0.0)
        wait = (places.wait(item) + 1) / UNITS  # one more for what `floor` took away
        return Turn(now + wait, min(wait, LONGEST_NAP_SECONDS) if share < 1 else wait)

    def left(self, place: float, late: float) -> None:
        """A request left later than its place was taken: it counts from then.

        Args:
            place: `Turn.at` of the request.
            late: By so many seconds.
        """
        items, stamp = self._places.items, floor(place * UNITS)
        found = bisect_left(self.stamps, stamp)
        if late > 0 and found < len(items) and items[found].timestamp == stamp:
            del items[found]
            moved = floor((place + late) * UNITS)
            items.insert(bisect_right(self.stamps, moved), self._item("", moved))

    def throttled(self, place: float, until: float) -> None:
        """The server said 429 to the request that took this place: use less, for a while.

        What of the windows was let through before it is what is left of them. Where our own requests alone would have
        been too many had some been late on their way by `WIDEST_MARGIN_SECONDS`, the margin may have been too small:
        it is doubled as well, up to that, and stays so.

        Args:
            place: `Turn.at` of that request.
            until: Nothing goes before this time.
        """
        stamps = self.stamps
        ends = bisect_right(stamps, floor(place * UNITS))

        def made(seconds: float) -> int:
            return ends - bisect_right(stamps, floor((place - seconds) * UNITS))

        used = max((made(each.seconds) - 1) / each.requests for each in self._windows)
        alone = any(made(each.seconds + WIDEST_MARGIN_SECONDS) > each.requests for each in self._windows)
        margin = max(self._margin, self.share.margin)
        self.share = self.share.throttled(
            place,
            until,
            used=min(1.0, used),
            least=1 / self._windows[0].requests,
            margin=min(2 * margin, WIDEST_MARGIN_SECONDS) if alone else 0.0,
        )


def _needed(windows: Iterable[Window]) -> list[Window]:
    """The windows without those that a longer one with no more requests makes needless; the shortest first."""
    needed: list[Window] = []
    for window in sorted(windows, key=lambda window: (window.seconds, -window.requests), reverse=True):
        if not needed or window.requests < needed[-1].requests:
            needed.append(window)
    return needed[::-1]
