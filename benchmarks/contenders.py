"""The programs that are compared, their configuration, and how each proves that it did the work."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lead_mapping import target_mapping
from benchmarks.loopback import Loopback
from benchmarks.machine import ROOT
from benchmarks.process import RunFailedError, Spent, run
from benchmarks.script import FIRST_CAMPAIGN, Script
from benchmarks.stream import STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TARGET = Path(sys.executable).parent / "target-engagevoice"
CONFIG = "config.json"
STATE_DIR = "state"
NO_LIMIT = ("1000000/1s",)
"""`rate_limits` that never make a request wait."""


@dataclass(frozen=True)
class Contender:
    """A program that takes the stream on standard input.

    Attributes:
        command: How it is started, in a folder with its `config.json`.
        config: What is in there, for the address of the server.
        proof: How many leads it says it has loaded or made, from the folder after the run; None where it says nothing.
        posts: Whether there is a server, which must have counted as many.
    """

    name: str
    command: tuple[str | Path, ...]
    config: Callable[[str], Mapping[str, Any]]
    proof: Callable[[Path], int] | None
    posts: bool = True

    def measure(self, stream: Path, records: int, folder: Path) -> Spent:
        """Run it on a stream of so many records, in a fresh folder.

        Raises:
            RunFailedError: It failed, or it did not load each record.
        """
        if self.posts:
            spent = self._run_against_server(stream, records, folder)
        else:
            spent = run(self.command, folder=folder, stdin=stream)
        if self.proof is not None and (proven := self.proof(folder)) != records:
            msg = f"{self.name}: it says it has done {proven} of {records} records."
            raise RunFailedError(msg)
        return spent

    def _run_against_server(self, stream: Path, records: int, folder: Path) -> Spent:
        folder.mkdir(parents=True)
        with Loopback(Script()) as server:
            (folder / CONFIG).write_text(json.dumps(dict(self.config(server.url))), encoding="utf-8")
            spent = run(self.command, folder=folder, stdin=stream)
            posted = server.journal().leads
        if posted != records:
            msg = f"{self.name}: the server counted {posted} leads of {records} records."
            raise RunFailedError(msg)
        return spent


def target_config(url: str, **settings: Any) -> dict[str, Any]:
    """The target's configuration: everything on, no limit that makes it wait, the first campaign.

    Args:
        url: The server's.
        settings: Laid over these.
    """
    return {
        "base_url": url,
        "api_token": "token",
        "state_dir": STATE_DIR,
        "rate_limits": list(NO_LIMIT),
        "dedupe": "changed",
        "validate_records": True,
        "mappings": {STREAM: target_mapping(str(FIRST_CAMPAIGN))},
        **settings,
    }


def loaded(folder: Path) -> int:
    """Leads of the target's run record.

    Raises:
        RunFailedError: There is none, it has another outcome, or the last STATE is not that of the stream.
    """
    records = [json.loads(path.read_bytes()) for path in (folder / STATE_DIR / "runs").glob("*.json")]
    if len(records) != 1 or records[0]["status"] != "ok":
        msg = f"the target left {[record['status'] for record in records]} where one run record says ok."
        raise RunFailedError(msg)
    totals = records[0]["totals"]
    states = (folder / "stdout").read_bytes().splitlines()
    position = json.loads(states[-1])["bookmarks"][STREAM]["position"] if states else 0
    if not totals["read"] == totals["loaded"] == position:
        msg = f"the target read {totals['read']}, loaded {totals['loaded']}, and its STATE is at {position}."
        raise RunFailedError(msg)
    return int(totals["loaded"])


def _encoded(folder: Path) -> int:
    return int(json.loads((folder / "stdout").read_bytes())["leads"])


OURS = Contender("target-engagevoice", (TARGET, "--config", CONFIG), target_config, loaded)
STOCK = Contender(
    "stock SDK target",
    (sys.executable, ROOT / "benchmarks" / "stock_target.py", "--config", CONFIG),
    lambda url: {"url": f"{url}/api/v1/admin/accounts/1/campaigns/{FIRST_CAMPAIGN}/leadLoader/direct"},
    proof=None,
)
FLOOR = Contender("floor", (sys.executable, ROOT / "benchmarks" / "floor.py"), lambda _: {}, _encoded, posts=False)
CONTENDERS = (OURS, STOCK, FLOOR)
