"""Set everything up in `.venv` and load the sample: `python3 scripts/demo.py`.

The sample Salesforce leads go into the embedded sandbox, and a table shows which campaign got them.
"""  # noqa: INP001 - scripts are run by their path, not imported as a package

from __future__ import annotations

import json

from environment import PYTHON, ROOT, RUNTIME_LOCK, VENV, prepare, run, say

CONFIG = "sample_config.json"
SAMPLE = "samples/salesforce_leads.singer"

SHOW = """
import sys
from pathlib import Path
from target_engagevoice.sandbox.lead_counts import table
sys.stdout.write(table(Path(sys.argv[1])))
"""


def main() -> None:
    """Load the sample, then look into the sandbox's store."""
    prepare(RUNTIME_LOCK)
    say(f"== target-engagevoice --config {CONFIG} --input {SAMPLE}")
    run(VENV / "bin" / "target-engagevoice", "--config", CONFIG, "--input", SAMPLE)
    say("== what landed where")
    config = json.loads((ROOT / CONFIG).read_text(encoding="utf-8"))
    run(PYTHON, "-c", SHOW, ROOT / config.get("state_dir", ".target-engagevoice") / "sandbox.db")


if __name__ == "__main__":
    main()
