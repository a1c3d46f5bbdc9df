"""Plays a real run on a terminal and keeps what it shows: `.venv/bin/python scripts/terminal_picture.py [FILE.svg]`.

The executable is started on a pseudo-terminal, against a sandbox that answers as slowly and allows as little as an
account does. The picture is the terminal in the middle of the run.
"""  # noqa: INP001 - scripts are run by their path, not imported as a package

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from target_engagevoice.sandbox.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "terminal.svg"
TARGET = Path(sys.executable).parent / "target-engagevoice"
COMMAND = "target-engagevoice --config config.json < leads.singer"

LINES, COLUMNS = 26, 118
PEOPLE = 36_000
SEEN_AT = 0.6
"""The part of the pictures drawn before the one that is kept."""

CAMPAIGNS = ("Renewals", "Renewals", "Renewals", "Renewals", "Winback", "Winback", "Spring fair", "Newsletter")
"""Of eight leads in a row."""

GROUP = {
    "dialGroupId": 501,
    "dialGroupName": "Outbound",
    "campaigns": [
        {"campaignId": number, "campaignName": name} for number, name in enumerate(sorted({*CAMPAIGNS}), start=1001)
    ],
}
ACCOUNT = {"accounts": [{"accountId": 99990001, "dialGroups": [GROUP]}]}
CONFIG = {
    "api_token": "token-of-the-picture",
    "batch_size_rows": 400,
    "mappings": {"leads": {"campaign": {"field": "campaign"}, "do_not_call": ["do_not_call"]}},
}
SLOWLY = {"on": "load", "do": "delay", "seconds": 1.2, "times": None}

ERASE_BELOW = "\x1b[J"
UP = re.compile(r"\x1b\[\d+A\r?")
FONT = re.compile(r"@font-face\s*\{[^}]*\}\s*")
"""Fonts from elsewhere, which a picture in a README may not load anyway."""


def main() -> None:
    """Write the picture."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(played()), encoding="utf-8")
    sys.stdout.write(f"{path}\n")


def played() -> str:
    """All that a run wrote to its terminal."""
    with tempfile.TemporaryDirectory() as name, Sandbox(store=None, config=ACCOUNT) as sandbox:
        folder = Path(name)
        sandbox.faults([SLOWLY])
        (folder / "config.json").write_text(json.dumps({**CONFIG, "base_url": sandbox.base_url}), encoding="utf-8")
        (folder / "leads.singer").write_text("".join(f"{json.dumps(line)}\n" for line in leads()), encoding="utf-8")
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        with (folder / "leads.singer").open("rb") as stdin:
            process = subprocess.Popen(  # noqa: S603 - the command is this package's own
                [TARGET, "--config", "config.json"],
                cwd=folder,
                env={**os.environ, "TERM": "xterm-256color"},
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=theirs,
            )
        os.close(theirs)
        written = bytearray()
        try:
            while piece := os.read(ours, 1 << 16):
                written += piece
        except OSError:  # how Linux says that the other end is closed
            os.close(ours)
        if process.wait():
            raise SystemExit(written.decode())
        return written.decode()


def leads() -> list[dict[str, object]]:
    """The messages of a tap: made-up people with numbers kept for fiction, some of whom cannot be loaded."""
    text = {"type": ["string", "null"]}
    properties = dict.fromkeys(("id", "first_name", "phone", "campaign", "do_not_call"), text)
    lines: list[dict[str, object]] = [
        {"type": "SCHEMA", "stream": "leads", "schema": {"properties": properties}, "key_properties": ["id"]}
    ]
    for number in range(PEOPLE):
        record = {
            "id": f"L{number}",
            "first_name": "Somebody",
            "phone": "none" if number % 61 == 0 else f"{201 + number // 100}55501{number % 100:02d}",
            "campaign": CAMPAIGNS[number % len(CAMPAIGNS)],
            "do_not_call": "yes" if number % 97 == 0 else "",
        }
        lines.append({"type": "RECORD", "stream": "leads", "record": record})
    return lines


def picture(written: str) -> str:
    """The terminal in the middle of the run, as SVG.

    Args:
        written: What came to it: the log, and pictures, each of which ends by going up to where it began.
    """
    pieces = written.replace("\r\n", "\n").split(ERASE_BELOW)
    drawn = [number for number, piece in enumerate(pieces) if UP.search(piece)]
    kept = drawn[int(SEEN_AT * len(drawn))]
    log = "".join(UP.split(piece)[-1].removesuffix("\r") for piece in pieces[:kept])
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {COMMAND}", style="bold"))
    console.print(Text.from_ansi((log + UP.split(pieces[kept])[0]).rstrip("\n")))
    svg = console.export_svg(title="target-engagevoice", theme=MONOKAI, unique_id="terminal")
    return FONT.sub("", svg)


if __name__ == "__main__":
    main()
