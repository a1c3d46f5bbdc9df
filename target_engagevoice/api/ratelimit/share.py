"""How much of the account's windows this side uses: less after a 429 that came anyway, then more again."""

from __future__ import annotations

from dataclasses import dataclass, replace

BACKED_OFF = 0.9
"""Of what was let through when the server said 429, what is used next."""

AT_MOST_HALVED = 0.5
"""One 429 cuts no deeper, whatever was let through: it may be a bad moment of the server's."""

PLATEAU_SECONDS = 20.0
"""How long after a 429 the share is back where the 429 came."""

PROBE_SECONDS = 40.0
"""How long after that the whole is used again, if no 429 comes."""

WIDEST_MARGIN_SECONDS = 0.5
"""A 429 that so much jitter explains may be our own doing. More would leave over 5 % of ten seconds unused."""


@dataclass(frozen=True)
class Share:
    """The part of each window that is used, as a curve in time.

    After a 429 the account's quota is taken to be what was let through until then, the *peak*: somebody else uses the
    rest. A little less is used at first; the curve is back at the peak after `PLATEAU_SECONDS`, flat there, then
    rises ever more steeply to the whole (TCP's CUBIC, RFC 9438, has the same shape for the same reason). Near the peak,
    where the next 429 is likely, it stays longest: a foreign user that stays costs about three 429s a minute, and one
    that left is noticed within a minute.

    Attributes:
        low: The share right after the last 429, 0 to 1.
        peak: The share at which it came.
        since: When the curve begins, in seconds of the clock that stamps the places: the end of the pause after it.
        margin: Seconds that windows are kept longer, learned from 429s; 0 when none was our own doing.
        not_before: Nothing goes before this time.
    """

    low: float = 1.0
    peak: float = 1.0
    since: float = 0.0
    margin: float = 0.0
    not_before: float = 0.0

    def at(self, now: float) -> float:
        """The share at a time, above 0 and at most 1."""
        past = now - self.since
        if past < PLATEAU_SECONDS:
            left = 1 - max(0.0, past) / PLATEAU_SECONDS
            return self.peak - (self.peak - self.low) * left**3
        return min(1.0, self.peak + (1 - self.peak) * ((past - PLATEAU_SECONDS) / PROBE_SECONDS) ** 3)

    def paused(self, until: float) -> Share:
        """The same with nothing let through until then."""
        return replace(self, not_before=max(self.not_before, until))

    def throttled(self, place: float, until: float, *, used: float, least: float, margin: float) -> Share:
        """What holds after a 429.

        Args:
            place: When the request went that was refused.
            until: Nothing goes before this time.
            used: The share of the windows that was let through before it, 0 to 1.
            least: The smallest share that lets anything through.
            margin: Seconds that a window is to be kept longer, at least.

        Returns:
            Less of everything; only a longer pause where the request went before the last cut, in flight together
            with the one that was cut for.
        """
        if place < self.since:
            return replace(self.paused(until), since=max(self.since, until))
        share = self.at(place)
        peak = max(least, min(max(used, AT_MOST_HALVED * share), share))
        low = max(least, peak * BACKED_OFF)
        return replace(self.paused(until), low=low, peak=peak, since=until, margin=max(self.margin, margin))
