"""The `engagevoice` command: how it fails."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from target_engagevoice.cli import campaigns
from target_engagevoice.cli.command import main


def test_an_unexpected_error_ends_in_one_line_without_the_data_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ValueError("Ada Abbott, 650 555 0100")

    monkeypatch.setattr(campaigns, "read_settings", break_down)
    done = CliRunner().invoke(main, ["campaigns", "--config", "ENV"])
    assert done.exit_code == 1
    assert re.fullmatch(
        r"Error: a mistake in engagevoice itself: ValueError at test_command\.py:\d+\. "
        r"Report it with this line; LOGLEVEL=DEBUG logs its traceback\.\n",
        done.output,
    )


@pytest.mark.parametrize("command", ["check", "campaigns", "preview", "runs", "rejects", "report"])
def test_a_config_file_that_is_not_there_is_wrong_usage_as_it_is_of_the_target(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--config", "nowhere.json"])
    assert done.exit_code == 2
    assert "Error: --config: there is no file nowhere.json." in done.output
