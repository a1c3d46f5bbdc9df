"""A tap's catalog, as SCHEMA messages: what `tap --discover` writes tells of the streams before anything is read."""

from __future__ import annotations

import io
from typing import IO, Any, cast

import simplejson

from target_engagevoice.singer.json import decode


class _Begun:
    """An input whose beginning was read already.

    Args:
        begun: What was read.
        rest: The input.
    """

    def __init__(self, begun: bytes, rest: IO[bytes]) -> None:
        self._begun = begun
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """What was read already, then so many bytes of the rest, or what there is."""
        begun, self._begun = self._begun, b""
        return begun or getattr(self._rest, "read1", self._rest.read)(size)


def as_messages(source: IO[Any]) -> IO[Any]:
    """An input as Singer messages, whether it holds messages or a catalog.

    Args:
        source: Of messages, only the first line is read here; a catalog is read whole.
    """
    begun = line = source.readline()
    while line and not begun.strip():
        line = source.readline()
        begun += line
    first = _decoded(begun)
    if begun.lstrip()[:1] != b"{" or (isinstance(first, dict) and "type" in first):
        return cast("IO[Any]", _Begun(begun, source))
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
    """The SCHEMA message that the tap will write for an entry; what it does not hold is left out, and missed later."""
    keys = entry.get("key_properties") or _keys_in(entry.get("metadata"))
    name = entry.get("stream") or entry.get("tap_stream_id")
    message = {"type": "SCHEMA", "stream": name, "schema": entry.get("schema"), "key_properties": keys}
    return {word: value for word, value in message.items() if value is not None}


def _keys_in(metadata: Any) -> list[str]:
    """The key, where a catalog has it among the metadata of the stream itself."""
    for each in metadata if isinstance(metadata, list) else ():
        if isinstance(each, dict) and each.get("breadcrumb") in ([], ()) and isinstance(each.get("metadata"), dict):
            found = each["metadata"].get("table-key-properties") or each["metadata"].get("view-key-properties")
            return found if isinstance(found, list) else []
    return []
