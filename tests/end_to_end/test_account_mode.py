"""An account that shows its mode is taken at its word; one that does not is not guessed about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import ENGAGEVOICE, against, run_program, run_target, serving
from tests.support.messages import records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

LINES = [schema(), *records(4), state("end")]
SHOWN = "account_mode_shown"


def checked(sandbox: Sandbox, folder: Path, **settings: Any) -> dict[str, Any]:
    (folder / "config.json").write_text(json.dumps(against(sandbox, **settings)))
    done = run_program(ENGAGEVOICE, "check", "--config", "config.json", "--format", "json", folder=folder)
    result: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if result["accepted"] else 1)
    return result


@pytest.mark.parametrize("account_id", ["~", "99990001"])
@pytest.mark.parametrize(("e164", "wrong", "right"), [(True, "national", "e164"), (False, "e164", "national")])
def test_a_run_whose_leads_would_not_be_loaded_is_refused(
    e164: bool, wrong: str, right: str, account_id: str, tmp_path: Path
) -> None:
    with serving(personality=SHOWN, e164=e164) as sandbox:
        refused = run_target(tmp_path, against(sandbox, phone_format=wrong, account_id=account_id), LINES)
        assert sandbox.requests("load") == []
        assert not checked(sandbox, tmp_path, phone_format=wrong, account_id=account_id)["accepted"]
        taken = run_target(tmp_path, against(sandbox, phone_format=right, account_id=account_id), LINES)
        assert checked(sandbox, tmp_path, phone_format=right, account_id=account_id)["accepted"]
        assert len(sandbox.leads()) == 4
    assert (refused.code, refused.states) == (1, [])
    assert f"phone_format to '{right}'" in refused.error
    assert (taken.code, taken.outcomes) == (0, {"read": 4, "loaded": 4})


@pytest.mark.parametrize("format_", ["national", "e164"])
def test_where_the_account_does_not_say_check_says_that_it_cannot_know(format_: str, tmp_path: Path) -> None:
    with serving() as sandbox:
        result = checked(sandbox, tmp_path, phone_format=format_)
    assert result["accepted"]
    assert any("cannot be known whether account 99990001 is in E.164 mode" in note for note in result["notes"])


def test_check_says_which_settings_fit(tmp_path: Path) -> None:
    with serving(personality=SHOWN, e164=True) as sandbox:
        result = checked(sandbox, tmp_path, phone_format="e164", number_origin_country="e164")
    assert result["accepted"]
    assert any("phone_format 'e164' with number_origin_country 'e164' fits" in note for note in result["notes"])
