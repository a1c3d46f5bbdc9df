"""The library's list of places in sliding windows; a room of its own, so that it is imported when a pace is made."""

from __future__ import annotations

from pyrate_limiter import InMemoryBucket, Rate, RateItem


class Places(InMemoryBucket):
    """Times of requests, in the order they were made.

    The library counts in whole units of time that it calls milliseconds and never looks at a clock here, so
    `windows.py` gives it microseconds. It refuses windows that get denser as they get longer, such as 2 in 1 s with
    15 in 5 s. Its own `put` needs only that longer windows allow more, which `windows.py` sees to, and users may write
    any windows: so the check is left out here.
    """

    def wait(self, item: RateItem) -> int:
        """Microseconds until a place that was just refused may be free."""
        wait = self.waiting(item)
        assert isinstance(wait, int)  # noqa: S101 - only the library's other buckets answer later
        return wait

    @property
    def rates(self) -> list[Rate]:
        """The windows, the shortest first."""
        return self._rates

    @rates.setter
    def rates(self, value: list[Rate]) -> None:
        self._rates = value
