"""What a dry run would have done: counted, and nothing of it done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.delivery.dry_run import DryRun
from target_engagevoice.model.campaign import Directory
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import DncPhone, Retire, Retirement, phone_digest
from tests.support.factories import RENEWALS, WINBACK, desk, lead
from tests.support.fake_delivery import FakeDelivery, open_fake_delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = Policy(change=True, move=Retire.SUPPRESS)


@pytest.fixture
def fake() -> Iterator[FakeDelivery]:
    with open_fake_delivery(dry_run=True, policy=POLICY) as made:
        yield made


def would(fake: FakeDelivery) -> dict[str, int]:
    """What was counted, once everything is out."""
    fake.delivery.finish()
    assert (fake.sent(), fake.changes, fake.retirements) == ([], [], [])
    totals = fake.run.record("1", "ok", dry_run=True, error=None)["totals"]
    return {name[6:]: count for name, count in totals.items() if name.startswith("would_") and count}


def known(fake: FakeDelivery, *extern_ids: str, campaign: str = "1001") -> None:
    fake.ledger.settle("people", campaign, dict.fromkeys(extern_ids, "earlier"), [], 1.0)


def flag(fake: FakeDelivery, extern_id: str, *numbers: str) -> None:
    phones = tuple(DncPhone(number, "USA", phone_digest(number)) for number in numbers)
    retirement = Retirement(extern_id, Outcome.DO_NOT_CALL, Retire.SUPPRESS, RENEWALS, phones)
    fake.delivery.retire(fake.outcomes.read("people", {}), retirement)


def test_leads_that_would_be_loaded_and_changed_are_counted_apart(fake: FakeDelivery) -> None:
    known(fake, "L0")
    fake.add_all([lead(number) for number in range(5)])
    assert would(fake) == {"load": 4, "change": 1}
    assert fake.outcome() == {"skipped": 5}


def test_leads_that_only_the_server_knows_would_be_changed_where_that_is_done() -> None:
    with desk(policy=POLICY) as made:
        made.client.directory()
        made.client.load(
            "1001", ListOptions().envelope({"stream": "people", "started": "now"}), [lead(0, firstName="Ann").body]
        )
        made.clock.advance(11)
        for find in (made.lead_access().lead_client.find, None):
            dry_run = DryRun(made.run, made.ledger, Directory([RENEWALS]), find)
            dry_run.count(made.batch([lead(0), lead(1)]))
        totals = made.run.record("1", "ok", dry_run=True, error=None)["totals"]
    assert (totals["would_change"], totals["would_load"]) == (1, 1 + 2)


def test_a_flagged_lead_would_be_retired_wherever_it_is(fake: FakeDelivery) -> None:
    known(fake, "L0", "L1")
    known(fake, "L0", campaign="1002")
    flag(fake, "L0")
    assert would(fake) == {"retire": 2}
    assert fake.outcome() == {"do_not_call": 1}


def test_phones_that_are_not_listed_would_be(fake: FakeDelivery) -> None:
    fake.ledger.phones.record(phone_digest("6505550001"))
    flag(fake, "L7", "6505550001", "6505550002", "6505550003")
    assert would(fake) == {"list": 2}


def test_a_lead_that_moves_would_be_retired_and_loaded(fake: FakeDelivery) -> None:
    known(fake, "L0")
    fake.add(lead(0), WINBACK)
    assert would(fake) == {"retire": 1, "load": 1}


def test_a_lead_that_moves_back_would_be_retired_and_changed(fake: FakeDelivery) -> None:
    known(fake, "L0", campaign="1002")
    known(fake, "L0")
    fake.ledger.leads.record_retirement("people", "1002", ["L0"], Retire.SUPPRESS, moved=True)
    fake.add(lead(0), WINBACK)
    assert would(fake) == {"retire": 1, "change": 1}


def test_the_ledger_stays_as_it_is(fake: FakeDelivery) -> None:
    known(fake, "L0")
    fake.add_all([lead(0), lead(1)])
    flag(fake, "L0")
    would(fake)
    assert fake.ledger.accepted("1001", ["L0", "L1"])["L0"].holds("earlier")
    assert list(fake.ledger.accepted("1001", ["L0", "L1"])) == ["L0"]
