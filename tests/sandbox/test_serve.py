from __future__ import annotations

import io
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner

from target_engagevoice.cli.sandbox import sandbox as command
from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.serve import serve

if TYPE_CHECKING:
    from pathlib import Path

SERVE = """
import sys
from pathlib import Path
from target_engagevoice.sandbox.serve import serve
sys.exit(serve(0, Path(sys.argv[1]), None, sys.stdout))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_the_base_url_first_and_ends_on_a_signal_with_0(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path / "sandbox.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://127.0.0.1:")
        assert base_url.endswith("/voice")
        with requests.Session() as session:
            answer = session.get(f"{base_url}/api/v1/admin/accounts", headers={"X-Auth-Token": "any"}, timeout=30)
            assert answer.status_code == 200
            process.send_signal(number)
            rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_config_mistake_comes_before_the_url() -> None:
    out = io.StringIO()
    with pytest.raises(ConfigError):
        serve(0, None, {"ap": 1}, out)
    assert out.getvalue() == ""


def test_help_shows_how_to_open_the_store_of_earlier_runs() -> None:
    told = CliRunner().invoke(command, ["--help"]).output
    assert "engagevoice sandbox --port 8080 --store .target-engagevoice/sandbox.db" in told
