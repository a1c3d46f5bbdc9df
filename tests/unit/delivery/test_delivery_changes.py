"""Changes and retirements: beside the loads, in the order of the records, within their own memory."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.delivery import delivery as delivery_module
from target_engagevoice.delivery.batch import Batch, MoveBatch
from target_engagevoice.delivery.buffer import CHANGES_AT_ONCE, BufferLimits
from target_engagevoice.delivery.dispatch import CHANGES_IN_FLIGHT
from target_engagevoice.delivery.stream_versions import Versions
from target_engagevoice.errors import Interrupted
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import Retire
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, lead
from tests.support.fake_delivery import FakeDelivery, open_fake_delivery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from target_engagevoice.delivery.buffer import BufferedLead

UPSERT = Policy(change=True, move=Retire.SUPPRESS)


def known(fake: FakeDelivery, numbers: Sequence[int], campaign: str = "1001") -> None:
    """Leads that the campaign has in an earlier version."""
    fake.ledger.settle("people", campaign, {f"L{number}": "earlier" for number in numbers}, [], 1.0)


def changed(fake: FakeDelivery) -> list[list[str]]:
    """`externId`s by batch of changes."""
    with fake.lock:
        return [[each.lead.extern_id for each in batch.leads] for batch in fake.changes]


def retired(fake: FakeDelivery) -> list[list[str]]:
    """`externId`s by batch of retirements."""
    with fake.lock:
        batches = [batch.leads if isinstance(batch, MoveBatch) else batch.retirements for batch in fake.retirements]
        return [[each.extern_id for each in batch] for batch in batches]


def test_loads_go_on_while_no_change_comes_back() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, range(200))
        fake.changing.clear()
        fake.add_all([lead(number) for number in range(200)])
        fake.add_all([lead(number) for number in range(500, 512)])
        fake.wait_for(lambda: fake.outcome() == {"loaded": 12})
        assert len(changed(fake)) == CHANGES_IN_FLIGHT
        fake.changing.set()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 12, "updated": 200}


def test_loads_go_on_while_no_retirement_comes_back() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, range(30))
        fake.changing.clear()
        for number in range(30):
            fake.flag(number)
        fake.add_all([lead(number) for number in range(500, 512)])
        fake.wait_for(lambda: fake.outcome() == {"loaded": 12})
        fake.changing.set()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 12, "deleted": 30}


def test_a_retirement_that_grows_old_goes_while_no_load_comes_back() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, [0])
        fake.gate.clear()
        fake.flag(0)
        reader = threading.Thread(target=fake.add_all, args=([lead(number) for number in range(500, 512)],))
        reader.start()
        fake.wait_for(lambda: len(fake.batches) == 2 and fake.run.read == 13)
        fake.clock.advance(61)
        fake.wait_for(lambda: retired(fake) == [["L0"]])
        fake.gate.set()
        reader.join()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 12, "deleted": 1}


def test_changes_go_on_while_no_load_comes_back() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, range(3))
        fake.gate.clear()
        fake.add_all([lead(number) for number in (500, 501, 502, 0, 1, 2)])
        fake.wait_for(lambda: fake.outcome() == {"updated": 3})


def test_a_batch_of_changes_is_small_enough_for_several_threads() -> None:
    with open_fake_delivery(policy=UPSERT, limits=BufferLimits(100, 1_000_000, 60.0)) as fake:
        known(fake, range(60))
        fake.add_all([lead(number) for number in range(60)])
        fake.delivery.finish()
        assert [len(batch) for batch in sorted(changed(fake), key=len)] == [10, CHANGES_AT_ONCE, CHANGES_AT_ONCE]


def test_the_reader_waits_while_changes_use_up_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "MAX_CHANGE_BYTES", 5000)
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, range(40))
        fake.changing.clear()
        reader = threading.Thread(target=fake.add_all, args=([lead(number) for number in range(40)],))
        reader.start()
        fake.wait_for(lambda: fake.run.read == 6)
        time.sleep(0.3)
        assert (reader.is_alive(), fake.run.read) == (True, 6)
        fake.changing.set()
        reader.join()
        fake.delivery.finish()
        assert fake.outcome() == {"updated": 40}


def test_a_stop_frees_a_reader_that_waits_for_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "MAX_CHANGE_BYTES", 2000)
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, range(9))
        fake.changing.clear()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                fake.add_all([lead(number) for number in range(9)])
            except Interrupted as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        fake.wait_for(lambda: fake.run.read == 3)
        fake.halt.set(Interrupted("stopped"))
        reader.join(2)
        fake.changing.set()
        assert [str(error) for error in failures] == ["stopped"]


def test_a_lead_that_is_gone_is_loaded_anew() -> None:
    def gone(batch: Batch) -> Sequence[BufferedLead]:
        return [each for each in batch.leads if each.lead.extern_id == "L1"]

    with open_fake_delivery(policy=UPSERT, change=gone) as fake:
        known(fake, range(3))
        fake.add_all([lead(number) for number in range(3)])
        fake.delivery.finish()
        assert (fake.sent(), fake.outcome()) == ([["L1"]], {"updated": 2, "loaded": 1})


def test_a_second_version_waits_for_the_change_before_it() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, [0])
        fake.changing.clear()
        for name in ("Ann", "Bea"):
            fake.add_all([lead(0, firstName=name), lead(500, firstName=name), lead(501, firstName=name)])
        fake.wait_for(lambda: len(changed(fake)) == 1)
        fake.changing.set()
        fake.delivery.finish()
        assert [each.lead.fields["firstName"] for batch in fake.changes for each in batch.leads][:1] == ["Ann"]
        assert fake.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0, firstName="Bea").digest


# Leads that move, and leads that are retired


def test_a_lead_that_moves_leaves_before_it_is_loaded() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        known(fake, [0])
        fake.changing.clear()
        for number in (0, 500, 501):
            fake.add(lead(number), WINBACK)
        fake.wait_for(lambda: retired(fake) == [["L0"]])
        assert all("L0" not in batch for batch in fake.sent())
        fake.changing.set()
        fake.delivery.finish()
        assert sorted(key for batch in fake.sent() for key in batch) == ["L0", "L500", "L501"]
        held = {each.campaign_id: each.retired for each in fake.ledger.leads.locate("people", ["L0"])}
        assert held == {"1001": "suppress", "1002": None}


def test_where_on_delete_is_ignore_a_lead_stays_where_it_was() -> None:
    with open_fake_delivery(policy=Policy(change=True)) as fake:
        known(fake, [0])
        fake.add(lead(0), WINBACK)
        fake.delivery.finish()
        assert (retired(fake), fake.sent()) == ([], [["L0"]])


def test_a_retirement_waits_for_the_version_before_it() -> None:
    with open_fake_delivery() as fake:
        fake.gate.clear()
        fake.add_all([lead(number) for number in range(3)])
        fake.flag(0)
        fake.wait_for(lambda: len(fake.sent()) == 1)
        time.sleep(0.05)
        assert retired(fake) == []
        fake.gate.set()
        fake.delivery.finish()
        assert (retired(fake), fake.ledger.accepted("1001", ["L0"])["L0"].retired) == ([["L0"]], "suppress")


def test_a_version_waits_for_the_retirement_before_it() -> None:
    with open_fake_delivery() as fake:
        known(fake, [0])
        fake.changing.clear()
        fake.flag(0)
        fake.add_all([lead(number) for number in range(4)])
        fake.wait_for(lambda: len(fake.sent()) == 1)
        assert fake.sent() == [["L1", "L2", "L3"]]
        fake.changing.set()
        fake.delivery.finish()
        assert fake.ledger.accepted("1001", ["L0"])["L0"].retired is None


def test_records_without_a_key_are_retired_one_after_another_and_all() -> None:
    with open_fake_delivery() as fake:
        for _ in range(8):
            fake.flag(-1)
        fake.delivery.finish()
        assert fake.outcome() == {"deleted": 8}


def test_a_lead_that_moves_to_and_fro_is_dialed_where_it_was_last() -> None:
    with open_fake_delivery(policy=UPSERT) as fake:
        for campaign in (RENEWALS, WINBACK, RENEWALS, WINBACK, RENEWALS):
            fake.add(lead(0), campaign)
        fake.delivery.finish()
        held = {each.campaign_id: each.in_dialer for each in fake.ledger.leads.locate("people", ["L0"])}
        assert held == {"1001": True, "1002": False}


steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("flag"), st.integers(0, 3)),
    st.tuples(st.just("age")),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=30), st.booleans())
def test_the_last_record_decides_and_all_memory_is_freed(history: list[Any], gone: bool) -> None:
    def give_back(batch: Batch) -> Sequence[BufferedLead]:
        return batch.leads[:1] if gone else ()

    last: dict[str, str | None] = defaultdict()
    with open_fake_delivery(policy=UPSERT, change=give_back, threads=1) as fake:
        read = 0
        for step in history:
            if step[0] == "add":
                _, number, version, other = step
                campaign = WINBACK if other else RENEWALS
                fake.add(lead(number, firstName=f"v{version}"), campaign)
                last[f"L{number}"] = campaign.campaign_id
                read += 1
            elif step[0] == "flag":
                fake.flag(step[1])
                last[f"L{step[1]}"] = None
                read += 1
            else:
                fake.clock.advance(61)
        fake.delivery.finish()
        assert (fake.drainer.backlog.load_bytes, fake.drainer.backlog.change_bytes) == (0, 0)
        assert sum(fake.outcome().values()) == read
        for extern_id, campaign_id in last.items():
            held = fake.ledger.leads.locate("people", [extern_id])
            assert [each.campaign_id for each in held if each.in_dialer] == ([campaign_id] if campaign_id else [])


# Read again


def after_a_kill(tmp_path: Path, **options: Any) -> FakeDelivery:
    """A dead run had loaded L0 twice, in two versions; the next one is open."""
    with open_fake_delivery(policy=UPSERT, ledger=Ledger.open(None, tmp_path, ACCOUNT, "killed")) as fake:
        fake.add_all([lead(0, firstName="Ann"), lead(0, firstName="Bea")])
        fake.delivery.finish()
    return FakeDelivery(policy=UPSERT, ledger=Ledger.open(None, tmp_path, ACCOUNT, "next"), **options)


class Listed:
    """What versions hold, for a test."""

    def __init__(self) -> None:
        self.leads: list[str] = []

    def record_seen(self, _stream: str, _version: int, leads: Sequence[str]) -> None:
        """See `VersionStore`."""
        self.leads += leads

    def activated(self, _stream: str) -> None:
        """See `VersionStore`."""


def test_catching_up_leaves_only_what_may_be_read_again_and_notes_what_waits_for_it(tmp_path: Path) -> None:
    seen: Any = Listed()
    fake = after_a_kill(tmp_path, versions=Versions(seen, lambda _stream, _leads: 0, 25))
    try:
        fake.add_all([lead(0, firstName="Ann"), lead(0, firstName="Cleo"), lead(1)])
        fake.delivery.catch_up()
        assert (fake.outcome(), sorted(seen.leads)) == ({"loaded": 1}, ["L0", "L0", "L1"])
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 1, "updated": 2}
    finally:
        fake.delivery.close(10)
        fake.ledger.close()


def test_what_is_read_again_after_the_source_went_back_is_applied(tmp_path: Path) -> None:
    fake = after_a_kill(tmp_path)
    try:
        fake.add(lead(0, firstName="Ann"))
        fake.delivery.finish()
        fake.add(lead(0, firstName="Bea"))
        fake.delivery.finish()
        assert fake.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0, firstName="Bea").digest
        assert fake.outcome() == {"updated": 2}
    finally:
        fake.delivery.close(10)
        fake.ledger.close()
