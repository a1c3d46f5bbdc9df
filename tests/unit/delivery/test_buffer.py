"""Buffers never cut a batch too large, two versions of a lead are never on the way at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_engagevoice.api.client import load_body
from target_engagevoice.delivery.buffer import (
    AnyBuffer,
    BufferedLead,
    BufferedRetirement,
    BufferLimits,
    LeadBuffer,
    RetirementBuffer,
)
from target_engagevoice.delivery.version_queue import VersionQueue
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.retirement import Retire, Retirement
from target_engagevoice.outcomes.checkpoints import Epoch
from target_engagevoice.outcomes.outcomes import ReadRecord
from tests.support.factories import RENEWALS, WINBACK, lead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.delivery.batch import Batch

ENVELOPE = ListOptions().envelope({"stream": "people", "started": "2026-01-01 00:00:00"})
OVERHEAD = len(load_body(ENVELOPE, ()))


def buffered(number: int, length: int = 1, at: float = 0.0) -> BufferedLead:
    return BufferedLead.of(ReadRecord("people", {}, Epoch()), lead(number, auxData1="x" * length), at)


def buffer() -> LeadBuffer:
    return LeadBuffer(stream="people", campaign=RENEWALS, options=ListOptions())


def filled(lengths: Sequence[int]) -> LeadBuffer:
    made = buffer()
    for number, length in enumerate(lengths):
        made.put_ready([buffered(number, length)])
    return made


def body(batch: Batch) -> bytes:
    return load_body(ENVELOPE, [each.lead.body for each in batch.leads])


sizes = st.lists(st.integers(1, 3000), max_size=40)
limits = st.builds(BufferLimits, rows=st.integers(1, 12), size=st.integers(1000, 9000), age=st.just(60.0))


@given(sizes, limits, st.booleans())
def test_no_batch_has_too_many_rows(lengths: list[int], limit: BufferLimits, everything: bool) -> None:
    batches = filled(lengths).cut(limit, OVERHEAD, everything=everything)
    assert all(1 <= len(batch.leads) <= limit.rows for batch in batches)


@given(sizes, limits, st.booleans())
def test_no_request_has_too_many_bytes_but_that_of_a_single_lead(
    lengths: list[int], limit: BufferLimits, everything: bool
) -> None:
    batches = filled(lengths).cut(limit, OVERHEAD, everything=everything)
    assert all(len(body(batch)) <= limit.size or len(batch.leads) == 1 for batch in batches)


@given(sizes, limits)
def test_all_leads_leave_in_order(lengths: list[int], limit: BufferLimits) -> None:
    batches = filled(lengths).cut(limit, OVERHEAD, everything=True)
    assert [each.lead.extern_id for batch in batches for each in batch.leads] == [f"L{n}" for n in range(len(lengths))]


@given(sizes, limits)
def test_what_does_not_fill_a_request_stays(lengths: list[int], limit: BufferLimits) -> None:
    made = filled(lengths)
    batches = made.cut(limit, OVERHEAD, everything=False)
    assert sum(len(batch.leads) for batch in batches) + len(made) == len(lengths)
    assert len(made) < limit.rows
    assert OVERHEAD + made.size < limit.size


@given(sizes, limits)
def test_batches_are_filled(lengths: list[int], limit: BufferLimits) -> None:
    """No two neighbors would have gone in one request."""
    batches = filled(lengths).cut(limit, OVERHEAD, everything=True)
    for first, second in pairwise(batches):
        together = len(body(first)) + len(second.leads[0].lead.body) + 1
        assert len(first.leads) == limit.rows or together >= limit.size


@given(st.lists(st.sampled_from(["put", "take", "ready", "cut"]), max_size=40), limits)
def test_the_size_is_that_of_what_is_inside(steps: list[str], limit: BufferLimits) -> None:
    made = buffer()
    for number, step in enumerate(steps):
        if step == "put":
            made.put(buffered(number, number * 50))
        elif step == "ready":
            made.put_ready([buffered(number, number * 50)])
        elif step == "take":
            made.take_incoming()
        else:
            made.cut(limit, OVERHEAD, everything=False)
        assert made.size == sum(len(each.lead.body) + 1 for each in (*made.incoming, *made.ready))


def test_batches_are_numbered_from_one() -> None:
    made = filled([1] * 5)
    numbers = [batch.number for batch in made.cut(BufferLimits(2, 10_000, 60), OVERHEAD, everything=True)]
    made.put_ready([buffered(9)])
    numbers += [batch.number for batch in made.cut(BufferLimits(2, 10_000, 60), OVERHEAD, everything=True)]
    assert numbers == [1, 2, 3, 4]


def test_a_lead_larger_than_a_request_goes_alone() -> None:
    batches = filled([1, 5000, 1]).cut(BufferLimits(10, 1000, 60), OVERHEAD, everything=True)
    assert [[each.lead.extern_id for each in batch.leads] for batch in batches] == [["L0"], ["L1"], ["L2"]]


def test_a_buffer_is_full_by_rows() -> None:
    assert [filled([1] * count).is_full(BufferLimits(3, 10_000, 60)) for count in (2, 3)] == [False, True]


def test_a_buffer_is_full_by_bytes() -> None:
    assert [filled([length]).is_full(BufferLimits(9, 1000, 60)) for length in (500, 2000)] == [False, True]


def test_a_buffer_is_full_when_too_many_wait_for_an_earlier_version() -> None:
    made, versions = buffer(), VersionQueue()
    for _ in range(4):
        one = buffered(0)
        versions.enter(made, one, one.extern_id, one.size)
    assert (len(made), made.is_full(BufferLimits(3, 10_000, 60))) == (1, True)


def test_the_oldest_is_the_first_of_either_part() -> None:
    made = buffer()
    assert made.oldest() is None
    made.put(buffered(0, at=7.0))
    made.put_ready([buffered(1, at=5.0)])
    assert made.oldest() == 5.0


# Versions


@dataclass
class Version:
    """One version of an id."""

    number: int
    buffer: AnyBuffer
    pending: bool = False  # in its buffer, or on its way


class AnyTraffic(RuleBasedStateMachine):
    """Versions of a few ids enter through buffers of two streams and campaigns, and leave in any order."""

    moves = False

    def __init__(self) -> None:
        super().__init__()
        self.queue = VersionQueue(moves=self.moves)
        self.buffers: list[AnyBuffer] = []
        for stream in ("people", "contacts"):
            self.buffers += [
                LeadBuffer(stream=stream, campaign=campaign, options=ListOptions()) for campaign in (RENEWALS, WINBACK)
            ]
            self.buffers.append(RetirementBuffer(stream=stream))
        self.versions: dict[str, list[Version]] = {f"L{number}": [] for number in range(3)}
        self.number = 0

    @rule(number=st.integers(0, 2), which=st.integers(0, 5))
    def enter(self, number: int, which: int) -> None:
        self.number += 1
        buffer = self.buffers[which]
        record = ReadRecord("people", {}, Epoch())
        if isinstance(buffer, LeadBuffer):
            one = BufferedLead.of(record, lead(number), self.number)
            self.queue.enter(buffer, one, one.extern_id, one.size)
        else:
            flagged = Retirement(f"L{number}", Outcome.DELETED, Retire.SUPPRESS, None)
            other = BufferedRetirement.of(record, flagged, self.number)
            self.queue.enter(buffer, other, other.extern_id, other.size)
        self.versions[f"L{number}"].append(Version(self.number, buffer))
        self._mark_pending(self.versions[f"L{number}"])

    @rule(number=st.integers(0, 2), which=st.integers(0, 9))
    def leave(self, number: int, which: int) -> None:
        versions = self.versions[f"L{number}"]
        out = [each for each in versions if each.pending]
        if not out:
            return
        leaves = out[which % len(out)]
        buffered_at = [one.buffered_at for one in leaves.buffer.incoming]
        del leaves.buffer.incoming[buffered_at.index(leaves.number)]
        self.queue.leave(leaves.buffer, [f"L{number}"])
        versions.remove(leaves)
        self._mark_pending(versions)

    def _mark_pending(self, versions: list[Version]) -> None:
        """In the order they came in: none overtakes one that waits, none is pending with another of the same lead."""
        for place, each in enumerate(versions):
            before = versions[:place]
            if not all(earlier.pending for earlier in before) or any(self._same(earlier, each) for earlier in before):
                return
            each.pending = True

    def _same(self, one: Version, other: Version) -> bool:
        campaigns = {each.campaign if isinstance(each, LeadBuffer) else None for each in (one.buffer, other.buffer)}
        if one.buffer.stream != other.buffer.stream:
            return len(campaigns) == 1 and None not in campaigns
        return self.moves or len(campaigns) == 1 or None in campaigns

    @invariant()
    def only_versions_that_may_be_pending_are(self) -> None:
        for buffer in self.buffers:
            out = sorted(one.buffered_at for one in buffer.incoming)
            versions = [each for versions in self.versions.values() for each in versions if each.buffer is buffer]
            assert out == [each.number for each in sorted(versions, key=lambda each: each.number) if each.pending]

    @invariant()
    def the_waiting_are_counted(self) -> None:
        for buffer in self.buffers:
            waiting = [each for versions in self.versions.values() for each in versions if not each.pending]
            assert buffer.waiting == sum(each.buffer is buffer for each in waiting)


class AnyMoves(AnyTraffic):
    """The same where leads move from one campaign to another."""

    moves = True


TestAnyTraffic = AnyTraffic.TestCase
TestAnyMoves = AnyMoves.TestCase
