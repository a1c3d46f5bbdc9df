"""What the settings say about leads that a campaign holds, and about records that must not be loaded."""

from __future__ import annotations

import pytest

from target_engagevoice.model.policy import FlagPolicy, Policy
from target_engagevoice.model.retirement import Retire
from tests.unit.config.test_settings import parse, refusal


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, Policy()),
        ({"dedupe": "off"}, Policy(skip_unchanged=False)),
        ({"load_method": "upsert"}, Policy(change=True)),
        ({"on_delete": "pause"}, Policy(move=Retire.PAUSE)),
        ({"load_method": "overwrite", "on_delete": "delete"}, Policy(change=True, move=Retire.DELETE)),
        ({"do_not_call": "dnc_list"}, Policy(list_phones=True)),
    ],
)
def test_the_policy_for_leads_that_a_campaign_holds(given: dict[str, str], policy: Policy) -> None:
    assert parse(**given).policy == policy


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, FlagPolicy(None, Retire.SUPPRESS, list_phones=False)),
        ({"on_delete": "delete"}, FlagPolicy(Retire.DELETE, Retire.SUPPRESS, list_phones=False)),
        ({"do_not_call": "dnc_list"}, FlagPolicy(None, Retire.SUPPRESS, list_phones=True, needs_scrub=True)),
        (
            {"do_not_call": "dnc_list", "dnc_list_unscrubbed": "warn"},
            FlagPolicy(None, Retire.SUPPRESS, list_phones=True),
        ),
        ({"dnc_list_unscrubbed": "error"}, FlagPolicy()),
        (
            {"on_delete": "cancel", "do_not_call": "dnc_list"},
            FlagPolicy(Retire.CANCEL, Retire.CANCEL, list_phones=True, needs_scrub=True),
        ),
    ],
)
def test_the_policy_for_flagged_records(given: dict[str, str], policy: FlagPolicy) -> None:
    assert parse(**given).flags == policy


@pytest.mark.parametrize(("method", "overwrites"), [("append-only", False), ("upsert", False), ("overwrite", True)])
def test_only_overwrite_uses_stream_versions(method: str, overwrites: bool) -> None:
    assert parse(load_method=method, on_delete="pause").overwrite is overwrites


def test_overwrite_needs_to_know_how_leads_are_retired() -> None:
    assert "on_delete is 'ignore'; set it to" in refusal(load_method="overwrite")
