"""From a mapped lead to a batch on its way: order, backpressure, age, dedupe, and what happens when something fails."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api.client import load_body
from target_engagevoice.delivery.batch import Batch
from target_engagevoice.delivery.buffer import BufferLimits
from target_engagevoice.delivery.send import list_names
from target_engagevoice.errors import FatalError, Interrupted, LedgerError, ServerError, StorageError
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.campaign import Campaign
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, lead
from tests.support.fake_delivery import LIMITS, FakeDelivery, open_fake_delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.model.lead import Lead


@pytest.fixture
def fake() -> Iterator[FakeDelivery]:
    with open_fake_delivery() as made:
        yield made


def test_a_full_buffer_is_sent(fake: FakeDelivery) -> None:
    for number in range(3):
        fake.add(lead(number))
    fake.wait_for(lambda: fake.sent() == [["L0", "L1", "L2"]])


def test_a_buffer_that_is_not_full_waits(fake: FakeDelivery) -> None:
    fake.add(lead(0))
    fake.add(lead(1))
    buffer = fake.delivery.buffer("people", RENEWALS, ListOptions())
    assert (fake.sent(), len(buffer)) == ([], 2)


def test_the_end_sends_everything(fake: FakeDelivery) -> None:
    fake.add(lead(0))
    fake.add(lead(1), WINBACK)
    fake.delivery.finish()
    assert (sorted(fake.sent()), fake.outcome()) == ([["L0"], ["L1"]], {"loaded": 2})


def test_a_buffer_that_grows_old_is_sent_while_nothing_comes(fake: FakeDelivery) -> None:
    fake.add(lead(0))
    fake.clock.advance(59)
    time.sleep(0.4)
    assert fake.sent() == []
    fake.clock.advance(2)
    fake.wait_for(lambda: fake.sent() == [["L0"]])


def test_age_counts_from_the_oldest_lead(fake: FakeDelivery) -> None:
    fake.add(lead(0))
    fake.clock.advance(59)
    fake.add(lead(1))
    fake.clock.advance(2)
    fake.wait_for(lambda: fake.sent() == [["L0", "L1"]])


def test_streams_of_one_campaign_are_not_mixed(fake: FakeDelivery) -> None:
    fake.add(lead(0), stream="people")
    fake.add(lead(1), stream="contacts")
    fake.delivery.finish()
    assert sorted((batch.stream, len(batch.leads)) for batch in fake.batches) == [("contacts", 1), ("people", 1)]


def test_batches_are_cut_by_the_size_of_the_whole_request() -> None:
    wide = Campaign("1001", "Zoë — " * 30, "501", "Outbound")
    stream = "“people” " * 30
    options = ListOptions(description="{stream} {campaign} {run} {started} {date} {batch}")
    with open_fake_delivery(limits=BufferLimits(500, 2000, 60.0)) as fake:
        buffer = fake.delivery.buffer(stream, wide, options)
        for number in range(60):
            fake.delivery.take(buffer, fake.outcomes.read(stream, {}), lead(number))
        fake.delivery.finish()
        for batch in fake.batches:
            envelope = batch.options.envelope(list_names(batch, fake.run))
            assert len(load_body(envelope, [each.lead.body for each in batch.leads])) <= 2000
        assert len(fake.batches) > 1


# Two versions of a lead


def test_a_second_version_waits_until_the_first_has_its_outcome() -> None:
    with open_fake_delivery() as fake:
        fake.gate.clear()
        fake.add(lead(0, firstName="Ann"))
        for number in (1, 2):
            fake.add(lead(number))
        fake.add(lead(0, firstName="Anna"))
        for number in (3, 4, 5):
            fake.add(lead(number))
        fake.wait_for(lambda: len(fake.sent()) == 2)
        assert "L0" not in fake.sent()[1]
        fake.gate.set()
        fake.delivery.finish()
        assert sum("L0" in batch for batch in fake.sent()) == 2


def test_a_second_version_is_held_back_across_streams() -> None:
    with open_fake_delivery() as fake:
        fake.gate.clear()
        for number in range(3):
            fake.add(lead(number))
        for number in (0, 7, 8):
            fake.add(lead(number, firstName="Anna"), stream="contacts")
        time.sleep(0.05)
        assert fake.sent() == [["L0", "L1", "L2"]]


def test_the_same_id_in_two_campaigns_does_not_wait() -> None:
    with open_fake_delivery() as fake:
        fake.gate.clear()
        for number in range(3):
            fake.add(lead(number), RENEWALS)
            fake.add(lead(number), WINBACK)
        fake.wait_for(lambda: len(fake.sent()) == 2)


def test_a_later_version_knows_when_the_earlier_one_was_accepted(fake: FakeDelivery) -> None:
    fake.add(lead(0, firstName="Ann"))
    fake.delivery.finish()
    fake.clock.advance(5)
    fake.add(lead(0, firstName="Anna"))
    fake.delivery.finish()
    assert [batch.leads[0].not_before for batch in fake.batches] == [0.0, fake.clock.time() - 5]


def test_a_row_read_many_times_is_sent_once_without_delay(fake: FakeDelivery) -> None:
    began = time.monotonic()
    for _ in range(100):
        fake.add(lead(0))
    fake.delivery.finish()
    assert (fake.outcome(), time.monotonic() - began < 5) == ({"loaded": 1, "unchanged": 99}, True)


def test_a_row_read_many_times_in_two_streams_is_sent_once_without_delay(fake: FakeDelivery) -> None:
    began = time.monotonic()
    for number in range(60):
        fake.add(lead(0), stream=("people", "contacts")[number % 2])
    fake.delivery.finish()
    assert (fake.outcome(), time.monotonic() - began < 5) == ({"loaded": 1, "unchanged": 59}, True)


actions = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 4), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("gate"), st.booleans()),
    st.tuples(st.just("age")),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(actions, max_size=40), st.booleans(), st.integers(1, 3))
def test_versions_are_never_in_flight_together_and_keep_their_order(
    steps: list[Any], skip_unchanged: bool, threads: int
) -> None:
    flying: dict[tuple[str, str], int] = defaultdict(int)
    arrived: dict[tuple[str, str], list[str]] = defaultdict(list)
    crashes: list[str] = []
    lock = threading.Lock()

    def load(batch: Batch) -> None:
        keys = [(batch.campaign.campaign_id, each.lead.extern_id) for each in batch.leads]
        with lock:
            crashes.extend(f"{key} is in flight already" for key in keys if flying[key])
            for key, each in zip(keys, batch.leads, strict=True):
                flying[key] += 1
                arrived[key].append(each.lead.fields["firstName"])
        time.sleep(0.0005)
        with lock:
            for key in keys:
                flying[key] -= 1

    expected: dict[tuple[str, str], list[str]] = defaultdict(list)
    with open_fake_delivery(load=load, threads=threads, skip_unchanged=skip_unchanged) as fake:
        added = 0
        for step in steps:
            if step[0] == "add":
                _, number, version, other = step
                campaign = WINBACK if other else RENEWALS
                seen = expected[campaign.campaign_id, f"L{number}"]
                if not skip_unchanged or seen[-1:] != [f"v{version}"]:
                    seen.append(f"v{version}")
                fake.add(lead(number, firstName=f"v{version}"), campaign, stream=f"s{version}")
                added += 1
            elif step[0] == "age":
                fake.clock.advance(61)
        fake.delivery.finish()
        assert crashes == []
        assert arrived == expected
        assert sum(fake.outcome().values()) == added


# Backpressure


def test_the_reader_waits_while_enough_is_on_its_way() -> None:
    with open_fake_delivery(threads=2) as fake:
        fake.gate.clear()
        reader = threading.Thread(target=fake.add_all, args=([lead(number) for number in range(60)],))
        reader.start()
        fake.wait_for(lambda: len(fake.sent()) == 2)
        time.sleep(0.3)
        assert reader.is_alive()
        assert fake.run.read <= 3 * (2 + 2 + 1)  # on their way, in the queue, and the one that found it full
        fake.gate.set()
        reader.join()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 60}


def test_the_reader_waits_while_too_many_wait_for_an_earlier_version() -> None:
    with open_fake_delivery(threads=2) as fake:
        fake.gate.clear()
        reader = threading.Thread(target=fake.add_all, args=([lead(0, firstName=f"v{n}") for n in range(30)],))
        reader.start()
        fake.wait_for(lambda: len(fake.sent()) == 1)
        time.sleep(0.3)
        assert reader.is_alive()
        assert fake.run.read <= 1 + LIMITS.rows
        fake.gate.set()
        reader.join()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 30}


def test_a_stop_frees_a_waiting_reader() -> None:
    with open_fake_delivery(threads=1) as fake:
        fake.gate.clear()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                for number in range(60):
                    fake.add(lead(number))
            except Interrupted as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        fake.wait_for(lambda: len(fake.sent()) == 1)
        fake.halt.set(Interrupted("stopped"))
        reader.join(2)
        assert [str(error) for error in failures] == ["stopped"]


# What the campaign has already


def test_an_unchanged_lead_is_not_sent_again(fake: FakeDelivery) -> None:
    for _ in range(2):
        fake.add(lead(0))
        fake.delivery.finish()
    assert fake.outcome() == {"loaded": 1, "unchanged": 1}


def test_an_unchanged_lead_lets_state_pass(fake: FakeDelivery) -> None:
    for state in (1, 2):
        fake.add(lead(0))
        fake.checkpoints.state(state)
        fake.delivery.finish()
    assert fake.states == ["1", "2"]


def test_a_changed_lead_is_sent_again(fake: FakeDelivery) -> None:
    for name in ("Ann", "Anna", "Ann"):
        fake.add(lead(0, firstName=name))
        fake.delivery.finish()
    assert fake.outcome() == {"loaded": 3}


def test_an_unchanged_lead_is_new_to_another_campaign(fake: FakeDelivery) -> None:
    for campaign in (RENEWALS, WINBACK):
        fake.add(lead(0), campaign)
        fake.delivery.finish()
    assert fake.outcome() == {"loaded": 2}


def test_without_dedupe_everything_is_sent() -> None:
    with open_fake_delivery(skip_unchanged=False) as fake:
        for _ in range(3):
            fake.add(lead(0))
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 3}


def run_once(folder: Path, name: str, leads: list[Lead], *, finish: bool, skip_unchanged: bool) -> dict[str, int]:
    ledger = Ledger.open(None, folder, ACCOUNT, name)
    with open_fake_delivery(ledger=ledger, skip_unchanged=skip_unchanged) as fake:
        for each in leads:
            fake.add(each)
        fake.delivery.finish()
        if finish:
            ledger.finish(["people"])
        return fake.outcome()


@pytest.mark.parametrize("skip_unchanged", [True, False])
def test_what_a_killed_run_loaded_is_not_sent_again(tmp_path: Path, skip_unchanged: bool) -> None:
    run_once(tmp_path, "one", [lead(0)], finish=False, skip_unchanged=skip_unchanged)
    assert run_once(tmp_path, "two", [lead(0)], finish=True, skip_unchanged=skip_unchanged) == {"unchanged": 1}


@pytest.mark.parametrize(("skip_unchanged", "outcome"), [(True, {"unchanged": 1}), (False, {"loaded": 1})])
def test_what_a_finished_run_loaded_is_sent_again_without_dedupe(
    tmp_path: Path, skip_unchanged: bool, outcome: dict[str, int]
) -> None:
    run_once(tmp_path, "one", [lead(0)], finish=True, skip_unchanged=skip_unchanged)
    assert run_once(tmp_path, "two", [lead(0)], finish=True, skip_unchanged=skip_unchanged) == outcome


def test_what_a_killed_run_loaded_is_passed_over_once_without_dedupe(tmp_path: Path) -> None:
    run_once(tmp_path, "one", [lead(0)], finish=False, skip_unchanged=False)
    outcome = run_once(tmp_path, "two", [lead(0), lead(0)], finish=True, skip_unchanged=False)
    assert outcome == {"unchanged": 1, "loaded": 1}


@pytest.mark.parametrize("skip_unchanged", [True, False])
def test_both_versions_that_a_killed_run_loaded_are_known(tmp_path: Path, skip_unchanged: bool) -> None:
    versions = [lead(0, firstName=name) for name in ("Ann", "Anna")]
    run_once(tmp_path, "one", versions, finish=False, skip_unchanged=skip_unchanged)
    assert run_once(tmp_path, "two", versions, finish=True, skip_unchanged=skip_unchanged) == {"unchanged": 2}


def test_a_lead_that_goes_back_after_a_kill_is_sent(tmp_path: Path) -> None:
    ann, anna = (lead(0, firstName=name) for name in ("Ann", "Anna"))
    run_once(tmp_path, "one", [ann, anna], finish=False, skip_unchanged=True)
    assert run_once(tmp_path, "two", [ann, anna, ann], finish=True, skip_unchanged=True) == {
        "unchanged": 2,
        "loaded": 1,
    }


ANN, ANNA = (lead(0, firstName=name) for name in ("Ann", "Anna"))


def refuse_and_die(folder: Path, refused: Lead, *taken: Lead) -> None:
    """A run that got one version refused, then others taken, and was killed."""
    with closing(Ledger.open(None, folder, ACCOUNT, "one")) as killed:
        killed.claim("people", RENEWALS.campaign_id, {"L0": refused.digest}, 1.0)
        killed.settle("people", RENEWALS.campaign_id, {}, ["L0"], 0.0, refused=True)
        for version in taken:
            killed.settle("people", RENEWALS.campaign_id, {"L0": version.digest}, [], 2.0)


def test_a_version_refused_at_first_and_taken_after_a_later_one_is_not_loaded_twice(tmp_path: Path) -> None:
    refuse_and_die(tmp_path, ANN, ANNA)
    assert run_once(tmp_path, "two", [ANN], finish=False, skip_unchanged=True) == {"loaded": 1}
    assert run_once(tmp_path, "three", [ANN, ANNA], finish=True, skip_unchanged=True) == {"unchanged": 2}


def test_a_version_refused_at_first_and_taken_when_it_came_again_is_not_loaded_twice(tmp_path: Path) -> None:
    refuse_and_die(tmp_path, ANN, ANN, ANNA)
    assert run_once(tmp_path, "two", [ANN, ANNA], finish=True, skip_unchanged=True) == {"unchanged": 2}


def test_a_source_that_goes_back_to_a_version_refused_at_first_is_heard_once(tmp_path: Path) -> None:
    refuse_and_die(tmp_path, ANN, ANNA)
    assert run_once(tmp_path, "two", [ANN], finish=False, skip_unchanged=True) == {"loaded": 1}
    assert run_once(tmp_path, "three", [ANN], finish=True, skip_unchanged=True) == {"unchanged": 1}


# Dry run


def test_a_dry_run_sends_nothing() -> None:
    with open_fake_delivery(dry_run=True) as fake:
        for number in range(7):
            fake.add(lead(number))
        fake.delivery.finish()
        assert (fake.sent(), fake.outcome()) == ([], {"skipped": 7})


def test_a_dry_run_of_one_row_many_times_does_not_stall() -> None:
    with open_fake_delivery(dry_run=True) as fake:
        began = time.monotonic()
        for _ in range(100):
            fake.add(lead(0))
        fake.delivery.finish()
        assert (fake.outcome(), time.monotonic() - began < 5) == ({"skipped": 100}, True)


# When something fails


def failing(error: BaseException) -> Callable[[Batch], None]:
    def load(_batch: Batch) -> None:
        raise error

    return load


def test_a_failing_load_is_raised_in_the_reader() -> None:
    with open_fake_delivery(load=failing(ServerError("the server is gone"))) as fake:
        leads = [lead(number) for number in range(1000)]
        with pytest.raises(ServerError, match="is gone"):
            fake.add_all(leads)


def test_a_failing_load_is_raised_at_the_end() -> None:
    with open_fake_delivery(load=failing(ServerError("the server is gone"))) as fake:
        fake.add(lead(0))
        with pytest.raises(ServerError, match="is gone"):
            fake.delivery.finish()


def test_after_a_failing_load_nothing_is_taken_in() -> None:
    with open_fake_delivery(load=failing(ServerError("the server is gone"))) as fake:
        fake.add(lead(0))
        with pytest.raises(ServerError):
            fake.delivery.finish()
        with pytest.raises(ServerError):
            fake.add(lead(1))


def test_after_a_failing_load_nothing_is_sent() -> None:
    with open_fake_delivery(load=failing(ServerError("the server is gone")), threads=1) as fake:
        fake.gate.clear()
        for number in range(5):  # one batch on its way, one in the queue
            fake.add(lead(number))
        buffer = fake.delivery.buffer("people", RENEWALS, ListOptions())
        with fake.delivery._lock:
            fake.delivery._dispatcher.enqueue(buffer, everything=True)
        fake.wait_for(lambda: len(fake.sent()) == 1)
        fake.gate.set()
        with pytest.raises(ServerError):
            fake.delivery.finish()
        fake.delivery.close(5)
        assert len(fake.sent()) == 1


def test_a_failing_load_settles_nothing() -> None:
    with open_fake_delivery(load=failing(ServerError("the server is gone"))) as fake:
        fake.add(lead(0))
        fake.checkpoints.state(1)
        with pytest.raises(ServerError):
            fake.delivery.finish()
        assert (fake.outcome(), fake.states) == ({}, [])


def test_a_mistake_of_this_program_shows_its_place_and_no_value() -> None:
    with open_fake_delivery(load=failing(KeyError("ann@example.com"))) as fake:
        fake.add(lead(0))
        with pytest.raises(
            FatalError, match=r"a mistake in target-engagevoice itself: KeyError at \w+\.py:\d+\."
        ) as caught:
            fake.delivery.finish()
        assert "ann" not in str(caught.value)


def test_a_ledger_that_fails_while_a_buffer_grows_old_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise LedgerError("the disk is full")

    with open_fake_delivery() as fake:
        fake.add(lead(0))
        monkeypatch.setattr(fake.ledger, "accepted", fail)
        fake.clock.advance(61)
        fake.wait_for(lambda: fake.halt.error is not None)
        with pytest.raises(LedgerError, match="the disk is full"):
            fake.add(lead(1))


def test_a_state_that_can_not_be_written_stops_the_run() -> None:
    def write(_line: str) -> None:
        raise OSError(32, "Broken pipe")

    with open_fake_delivery(write_state=write) as fake:
        fake.add(lead(0))
        fake.checkpoints.state(1)
        with pytest.raises(StorageError, match="Broken pipe"):
            fake.delivery.finish()


def test_closing_drops_what_is_in_the_queue() -> None:
    with open_fake_delivery(threads=1) as fake:
        fake.gate.clear()
        for number in range(3):
            fake.add(lead(number))
        fake.wait_for(lambda: len(fake.sent()) == 1)
        buffer = fake.delivery.buffer("people", RENEWALS, ListOptions())
        for number in range(3, 5):
            fake.add(lead(number))
        with fake.delivery._lock:
            fake.delivery._dispatcher.enqueue(buffer, everything=True)
        closer = threading.Thread(target=fake.delivery.close, args=(5,))
        closer.start()
        fake.gate.set()
        closer.join()
        assert fake.outcome() == {"loaded": 3}


def test_closing_ends_every_thread() -> None:
    before = threading.active_count()
    with open_fake_delivery(threads=8):
        pass
    assert threading.active_count() == before
