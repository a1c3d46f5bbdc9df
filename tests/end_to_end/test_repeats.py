"""Two runs over the same records: what the ledger remembers, and what a dry run leaves alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, STATE_DIR, Finished, against, ids, run_target, serving
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[dict[str, Any]] = [schema(), *records(3), state("end")]
CHANGED: list[dict[str, Any]] = [schema(), record(0), record(1, last_name="New"), record(2), record(3), state("next")]


@dataclass(frozen=True)
class Runs:
    """Runs one after another, against one account."""

    first: Finished
    dry: Finished
    leads_after_dry: list[dict[str, Any]]
    second: Finished
    leads_after_second: list[dict[str, Any]]
    elsewhere: Finished


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("repeats")
    first = run_target(folder, EMBEDDED, LINES)
    dry = run_target(folder, {**EMBEDDED, "dry_run": True}, CHANGED)
    leads_after_dry = dry.leads()
    second = run_target(folder, EMBEDDED, CHANGED)
    leads_after_second = second.leads()
    elsewhere = run_target(folder, {**EMBEDDED, "campaign": "Winback"}, LINES)
    return Runs(first, dry, leads_after_dry, second, leads_after_second, elsewhere)


def test_a_second_run_sends_only_what_changed(runs: Runs) -> None:
    assert runs.first.outcomes == {"read": 3, "loaded": 3}
    assert runs.second.outcomes == {"read": 4, "loaded": 2, "unchanged": 2}
    assert (runs.second.code, runs.second.states) == (0, [{"bookmark": "next"}])
    assert ids(runs.leads_after_second) == ["L0", "L1", "L1", "L2", "L3"]


def test_a_dry_run_tells_what_would_be_sent(runs: Runs) -> None:
    assert (runs.dry.code, runs.dry.stdout) == (0, "")
    assert runs.dry.outcomes == {"read": 4, "unchanged": 2, "skipped": 2}
    assert ids(runs.leads_after_dry) == ["L0", "L1", "L2"]


def test_a_lead_is_remembered_for_its_campaign_only(runs: Runs) -> None:
    assert runs.elsewhere.outcomes == {"read": 3, "loaded": 3}
    assert ids(runs.elsewhere.leads(1002)) == ["L0", "L1", "L2"]


def test_everything_is_sent_again_when_dedupe_is_off(tmp_path: Path) -> None:
    config = {**EMBEDDED, "dedupe": "off"}
    run_target(tmp_path, config, LINES)
    second = run_target(tmp_path, config, LINES)
    assert second.outcomes == {"read": 3, "loaded": 3}
    assert ids(second.leads()) == ["L0", "L0", "L1", "L1", "L2", "L2"]


def test_the_same_record_twice_in_one_run_is_loaded_once(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED, [schema(), record(1), record(2), record(1), state("end")])
    assert finished.outcomes == {"read": 3, "loaded": 2, "unchanged": 1}
    assert ids(finished.leads()) == ["L1", "L2"]
    assert finished.states == [{"bookmark": "end"}]


def test_a_dry_run_sends_nothing_emits_no_state_and_remembers_nothing(tmp_path: Path) -> None:
    lines = [*LINES, record(9, phone="none"), state("more")]
    with serving() as sandbox:
        config = against(sandbox, max_rejected_percent=50)
        dry = run_target(tmp_path, {**config, "dry_run": True}, lines)
        assert (sandbox.requests("load"), sandbox.leads(), sandbox.lists()) == ([], [], [])
        assert (dry.code, dry.stdout) == (0, "")
        assert not list((tmp_path / STATE_DIR).glob("ledger*"))
        real = run_target(tmp_path, config, lines)
        assert ids(sandbox.leads()) == ["L0", "L1", "L2"]
    assert dry.run_record["dry_run"] is True
    assert dry.outcomes == {"read": 4, "skipped": 3, "rejected": 1}
    assert [reject["record"]["id"] for reject in dry.rejects] == ["L9"]
    assert (real.outcomes, real.states[-1]) == ({"read": 4, "loaded": 3, "rejected": 1}, {"bookmark": "more"})
