"""Turns the catalog that `tap --discover` writes into SCHEMA messages."""

from __future__ import annotations

import io
from typing import IO, Any, cast

import simplejson

from target_engagevoice.singer.json import decode


class _Resumed:
    """An input whose first bytes were read already.

    Args:
        begun: Those bytes.
        rest: The input.
    """

    def __init__(self, begun: bytes, rest: IO[bytes]) -> None:
        self._begun = begun
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """The bytes that were read already, then up to `size` bytes of the rest."""
        begun, self._begun = self._begun, b""
        return begun or getattr(self._rest, "read1", self._rest.read)(size)


def as_messages(source: IO[Any]) -> IO[Any]:
    """An input as Singer messages. The input holds messages or a catalog.

    Args:
        source: Only the first line of messages is read here. A catalog is read to its end.
    """
    begun = line = source.readline()
    while line and not begun.strip():
        line = source.readline()
        begun += line
    first = _decoded(begun)
    if begun.lstrip()[:1] != b"{" or (isinstance(first, dict) and "type" in first):
        return cast("IO[Any]", _Resumed(begun, source))
    content = begun + source.read()
    catalog = _decoded(content)
    if not (isinstance(catalog, dict) and isinstance(catalog.get("streams"), list)):
        return io.BytesIO(content)
    messages = [_schema_message(entry) for entry in catalog["streams"] if isinstance(entry, dict)]
    return io.BytesIO(b"".join(simplejson.dumps(message, use_decimal=True).encode() + b"\n" for message in messages))


def _decoded(text: bytes) -> Any:
    try:
        return decode(text)
    except ValueError:
        return None


def _schema_message(entry: dict[str, Any]) -> dict[str, Any]:
    """The SCHEMA message that the tap will write for an entry, without the keys that the entry lacks."""
    keys = entry.get("key_properties") or _keys_in(entry.get("metadata"))
    name = entry.get("stream") or entry.get("tap_stream_id")
    message = {"type": "SCHEMA", "stream": name, "schema": entry.get("schema"), "key_properties": keys}
    return {key: value for key, value in message.items() if value is not None}


def _keys_in(metadata: Any) -> list[str]:
    """The key in the metadata of the stream itself; empty where it is not there."""
    for each in metadata if isinstance(metadata, list) else ():
        if isinstance(each, dict) and each.get("breadcrumb") in ([], ()) and isinstance(each.get("metadata"), dict):
            found = each["metadata"].get("table-key-properties") or each["metadata"].get("view-key-properties")
            return found if isinstance(found, list) else []
    return []
