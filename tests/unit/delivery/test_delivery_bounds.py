"""What keeps a delivery's memory bounded: the bytes that leads may use, and which buffer is drained first."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.delivery.buffer import BufferedLead, BufferLimits
from target_engagevoice.errors import Interrupted
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.campaign import Campaign
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, lead
from tests.support.fake_delivery import FakeDelivery, open_fake_delivery

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGNS = [Campaign(str(number), f"C{number}", "501", "Outbound") for number in range(1001, 1009)]


def memory_of(leads: int) -> int:
    """Bytes of so many leads; half a lead more, so that one more is too many."""
    with open_fake_delivery() as fake:
        one = BufferedLead.of(fake.outcomes.read("people", {}), lead(10), 0.0).memory
    return one * leads + one // 2


def limits(leads: int, rows: int = 1000) -> BufferLimits:
    return BufferLimits(rows=rows, size=1_000_000, age=60.0, memory=memory_of(leads))


def test_the_fullest_buffer_goes_first_when_the_memory_is_used_up() -> None:
    with open_fake_delivery(limits=limits(4)) as fake:
        fake.gate.clear()

        def add() -> None:
            for number, campaign in enumerate([RENEWALS, WINBACK, WINBACK, WINBACK, RENEWALS]):
                fake.add(lead(10 + number), campaign)

        adding = threading.Thread(target=add)
        adding.start()
        fake.wait_for(lambda: fake.sent()[:1] == [["L11", "L12", "L13"]])
        fake.gate.set()
        adding.join()
        fake.delivery.finish()


def test_what_waits_for_a_free_sender_still_grows() -> None:
    with open_fake_delivery(limits=limits(4), threads=1) as fake:
        fake.gate.clear()
        adding = threading.Thread(target=fake.add_all, args=([lead(10 + number) for number in range(12)],))
        adding.start()
        fake.wait_for(lambda: len(fake.sent()) == 1)
        fake.gate.set()
        adding.join()
        fake.delivery.finish()
        assert all(len(batch) > 1 for batch in fake.sent()[:-1])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(CAMPAIGNS), max_size=60), st.integers(1, 12))
def test_leads_never_use_more_than_their_memory(campaigns: list[Campaign], leads: int) -> None:
    with open_fake_delivery(limits=limits(leads, rows=5)) as fake:
        for number, campaign in enumerate(campaigns):
            fake.add(lead(10 + number), campaign)
            assert fake.drainer.backlog.load_bytes <= memory_of(leads)
        fake.delivery.finish()
        assert (fake.drainer.backlog.load_bytes, sum(fake.outcome().values())) == (0, len(campaigns))


def test_the_reader_waits_while_the_memory_is_used_up() -> None:
    with open_fake_delivery(limits=limits(6), threads=2) as fake:
        fake.gate.clear()
        reader = threading.Thread(target=fake.add_all, args=([lead(10 + number) for number in range(60)],))
        reader.start()
        fake.wait_for(lambda: fake.run.read == 7)
        time.sleep(0.3)
        assert (reader.is_alive(), fake.run.read) == (True, 7)
        fake.gate.set()
        reader.join()
        fake.delivery.finish()
        assert fake.outcome() == {"loaded": 60}


def test_a_stop_frees_a_reader_that_waits_for_memory() -> None:
    with open_fake_delivery(limits=limits(2), threads=1) as fake:
        fake.gate.clear()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                fake.add_all([lead(10 + number) for number in range(9)])
            except Interrupted as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        fake.wait_for(lambda: fake.run.read == 3)
        fake.halt.set(Interrupted("stopped"))
        reader.join(2)
        assert [str(error) for error in failures] == ["stopped"]


def load_and_die(folder: Path, fake: FakeDelivery) -> None:
    fake.add_all([lead(10 + number, firstName=name) for name in ("Ann", "Anna") for number in range(4)])
    fake.delivery.finish()
    assert (folder / "ledger.db").exists()


def test_leads_that_wait_for_what_is_read_next_do_not_stop_the_reader(tmp_path: Path) -> None:
    with open_fake_delivery(ledger=Ledger.open(None, tmp_path, ACCOUNT, "killed")) as fake:
        load_and_die(tmp_path, fake)
    again = [lead(10 + number, firstName=name) for name in ("Ann", "Anna") for number in range(4)]
    with open_fake_delivery(ledger=Ledger.open(None, tmp_path, ACCOUNT, "next"), limits=limits(2, rows=1)) as fake:
        fake.add_all(again)
        fake.delivery.finish()
        assert fake.outcome() == {"unchanged": 8}


# Age


def test_of_the_buffers_that_grew_old_the_oldest_goes_first() -> None:
    with open_fake_delivery(threads=1) as fake:
        fake.gate.clear()
        fake.add(lead(10), WINBACK)
        fake.clock.advance(1)
        fake.add(lead(11), RENEWALS)
        fake.clock.advance(61)
        fake.wait_for(lambda: len(fake.sent()) == 1)
        assert fake.sent() == [["L10"]]


def test_a_buffer_that_grew_old_still_grows_while_the_queue_is_full() -> None:
    with open_fake_delivery(threads=1) as fake:
        fake.gate.clear()
        for number, campaign in enumerate(CAMPAIGNS[:4]):
            fake.add(lead(10 + number), campaign)
            fake.clock.advance(1)
        fake.clock.advance(61)
        fake.wait_for(lambda: len(fake.sent()) == 1)
        time.sleep(0.6)  # the age thread has looked again
        fake.add(lead(20), CAMPAIGNS[3])
        buffer = fake.delivery.buffer("people", CAMPAIGNS[3], ListOptions())
        assert len(buffer) == 2


@pytest.mark.parametrize("threads", [1, 3])
def test_every_buffer_that_grew_old_is_sent_in_the_end(threads: int) -> None:
    with open_fake_delivery(threads=threads) as fake:
        for number, campaign in enumerate(CAMPAIGNS):
            fake.add(lead(10 + number), campaign)
        fake.clock.advance(61)
        fake.wait_for(lambda: fake.outcome() == {"loaded": len(CAMPAIGNS)})
