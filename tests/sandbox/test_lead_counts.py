from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.lead_counts import table
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import CALLBACKS, DORMANT, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_clock import FakeClock

EXPECTED = """\
DIAL GROUP         CAMPAIGN   LIST    LEADS  BY STATE
Outbound           Renewals   Spring      3  PAUSED 1, READY 2
Outbound           Renewals   Summer      1  READY 1
Outbound           Winback    Spring      4  READY 4
Outbound           Dormant    A list      1  READY 1
Inbound callbacks  Callbacks  A list      1  READY 1
                              total      10
"""


def test_the_table_counts_the_leads_of_each_list(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(2), description="Spring")
        client.load(leads(1, 2), description="Spring")
        client.load(leads(1, 3), description="Summer")
        client.load(leads(4), WINBACK, description="Spring")
        client.load(leads(1), DORMANT)
        client.load([lead(1, personaPhoneConfig={"Home": "6500000001"})], CALLBACKS)
        client.act("PAUSE_LEADS", campaignIds=[1001], externIds=["id-1"])
        assert table(store) == EXPECTED, "also while the sandbox runs"
    assert table(store) == EXPECTED


def test_an_empty_store_is_an_empty_table(tmp_path: Path) -> None:
    Sandbox(store=tmp_path / "sandbox.db")
    assert table(tmp_path / "sandbox.db").splitlines()[-1].split() == ["total", "0"]


def test_a_campaign_that_is_not_known_is_shown_by_its_id(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(1))
    assert table(store, ()).splitlines()[1].split() == ["?", "1001", "A", "list", "1", "READY", "1"]


def test_no_store_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no sandbox store"):
        table(tmp_path / "sandbox.db")
    assert list(tmp_path.iterdir()) == []
