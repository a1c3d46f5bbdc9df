"""How much of the account's windows this run uses: less after an unexpected 429, then gradually more again."""

from __future__ import annotations

from dataclasses import dataclass, replace

BACKED_OFF = 0.9
"""After a 429 this part of what had been let through is used."""

AT_MOST_HALVED = 0.5
"""One 429 cuts the share to no less than this part of it: it may be a passing problem of the server."""

PLATEAU_SECONDS = 20.0
"""How long after a 429 the share is back where the 429 came."""

PROBE_SECONDS = 40.0
"""How long after that the whole quota is used again, if no 429 comes."""

WIDEST_MARGIN_SECONDS = 0.5
"""A 429 that this much jitter explains may be caused by this run alone. A wider margin would leave over 5 % of ten
seconds unused."""


@dataclass(frozen=True)
class Share:
    """The part of each window that this run uses, as a curve in time.

    An account has one quota for all its programs, and this run sees only its own requests. A 429 that comes before this
    run has used its windows says that another program uses the rest. Then what this run got through until the 429,
    the *peak*, is taken as its part. The run uses a little less at first; the curve is back at the peak after
    `PLATEAU_SECONDS`, is flat there, and then rises ever more steeply to the whole quota (TCP's CUBIC, RFC 9438, has
    the same shape for the same reason). It stays longest near the peak, where the next 429 is likely. So another
    program that keeps sending costs about three 429s a minute, and one that stops is noticed within a minute.

    Example: the window is 30 requests in 10 seconds, and another program sends 10 of them. When this run has sent 20,
    its 21st is answered 429. Of the 30, 20 went through: the peak is 20/30 = 0.67, and the run begins again at
    0.9 x 0.67 = 0.6, that is 18 requests in 10 seconds. After 20 seconds it is back at 20 requests. After 40 seconds
    the curve is at 0.67 + 0.33 x (20/40)^3 = 0.71, 21 requests; if the other program still sends, the next 429 comes
    about here. If it has stopped, the run uses all 30 requests again after 60 seconds.

    Attributes:
        low: The share right after the last 429, 0 to 1.
        peak: The share at which it came.
        since: When the curve begins, in seconds on the clock that stamps the slots: the end of the pause after the 429.
        margin: Seconds that windows are kept longer, learned from 429s; 0 when this run alone caused none.
        not_before: No request is sent before this time.
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
        """The same share, with nothing sent before `until`."""
        return replace(self, not_before=max(self.not_before, until))

    def throttled(self, at: float, until: float, *, used: float, least: float, margin: float) -> Share:
        """The share after a 429.

        Args:
            at: When the refused request was sent.
            until: No request is sent before this time.
            used: The share of the windows that was let through before it, 0 to 1.
            least: The smallest share that lets a request through.
            margin: Seconds that a window is to be kept longer, at least.

        Returns:
            A smaller share. Where the request was sent before the last cut, it was in flight together with the one that
            caused the cut: then only the pause may become longer.
        """
        if at < self.since:
            return replace(self.paused(until), since=max(self.since, until))
        share = self.at(at)
        peak = max(least, min(max(used, AT_MOST_HALVED * share), share))
        low = max(least, peak * BACKED_OFF)
        return replace(self.paused(until), low=low, peak=peak, since=until, margin=max(self.margin, margin))
