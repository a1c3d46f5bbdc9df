"""Singer messages, as a tap would write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Line: TypeAlias = "bytes | str | dict[str, Any]"

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

SCHEMA: Mapping[str, Any] = {
    "id": {"type": "string"},
    "first_name": {"type": ["string", "null"]},
    "last_name": {"type": ["string", "null"]},
    "phone": {"type": ["string", "null"]},
    "email": {"type": ["string", "null"]},
    "note": {"type": ["string", "null"]},
}


def schema(stream: str = "leads", properties: Mapping[str, Any] = SCHEMA) -> dict[str, Any]:
    """A SCHEMA message; of people, unless told otherwise."""
    known = {"type": "object", "properties": dict(properties)}
    return {"type": "SCHEMA", "stream": stream, "schema": known, "key_properties": ["id"]}


def record(number: int, stream: str = "leads", **fields: Any) -> dict[str, Any]:
    """A RECORD message: a person of that number, with a phone of her own that is nobody's."""
    person = {
        "id": f"L{number}",
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "phone": phone(number),
        "email": f"person{number}@example.com",
    }
    return {"type": "RECORD", "stream": stream, "record": {**person, **fields}}


def phone(number: int) -> str:
    """One of 555-0100 to 555-0199 of some area code: numbers kept for fiction."""
    return f"{201 + number // 100}55501{number % 100:02d}"


def records(count: int, start: int = 0, stream: str = "leads") -> list[dict[str, Any]]:
    """So many RECORD messages."""
    return [record(number, stream) for number in range(start, start + count)]


def state(value: Any) -> dict[str, Any]:
    """A STATE message."""
    return {"type": "STATE", "value": {"bookmark": value}}


def sample(name: str) -> list[bytes]:
    """The lines of a sample."""
    return (SAMPLES / f"{name}.singer").read_bytes().splitlines(keepends=True)


def encoded(line: Line) -> bytes:
    """A line as it goes over the pipe; a message with what is not ASCII escaped."""
    if isinstance(line, dict):
        line = json.dumps(line)
    raw = line.encode() if isinstance(line, str) else line
    return raw if raw.endswith(b"\n") else raw + b"\n"
