"""The floor: read, decode, map, encode, and nothing else. `python benchmarks/floor.py < stream`."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.lead_mapping import FIELDS, LEAD_PHONE

if TYPE_CHECKING:
    from collections.abc import Callable


def codec() -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    """How to decode and encode: with `msgspec` where it is installed, else with `json`."""
    if find_spec("msgspec") is None:
        return json.loads, lambda value: json.dumps(value, separators=(",", ":")).encode()
    import msgspec  # noqa: PLC0415 - there may be none

    return msgspec.json.decode, msgspec.json.encode


def main() -> None:
    """Print the number of leads and of their bytes."""
    decode, encode = codec()
    pairs = tuple(FIELDS.items())
    mobile, landline = LEAD_PHONE
    leads = size = 0
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] == "RECORD":
            record = message["record"]
            lead = {name: record[source] for name, source in pairs if record[source] is not None}
            lead["leadPhone"] = record[mobile] or record[landline]
            size += len(encode(lead))
            leads += 1
    sys.stdout.write(json.dumps({"leads": leads, "bytes": size}) + "\n")


if __name__ == "__main__":
    main()
