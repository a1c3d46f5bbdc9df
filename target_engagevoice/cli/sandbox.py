"""`engagevoice sandbox`: the embedded Engage Voice, served until interrupted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from target_engagevoice.config.files import read_config
from target_engagevoice.sandbox.serve import serve

EXAMPLE = """\b
Example: serve the account that runs with `base_url: sandbox` have loaded into,
and open http://127.0.0.1:8080/ in a browser
  engagevoice sandbox --port 8080 --store .target-engagevoice/sandbox.db
"""


@click.command(epilog=EXAMPLE)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 for a free one.")
@click.option("--store", type=click.Path(path_type=Path, dir_okay=False), help="SQLite file that keeps what is loaded.")
@click.option("--config", "sources", multiple=True, metavar="FILE", help="Accounts, limits, faults and personality.")
def sandbox(port: int, store: Path | None, sources: tuple[str, ...]) -> None:
    """Serve the sandbox until interrupted.

    The first line on standard output is its base URL.
    """
    config = read_config(sources, dict) if sources else None
    raise SystemExit(serve(port, store, config, sys.stdout))
