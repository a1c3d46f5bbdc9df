"""A catalog is read as the SCHEMA messages that the tap will write; messages are read as they are."""

from __future__ import annotations

import io
import json
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.singer.catalog import as_messages
from target_engagevoice.singer.reader import LineReader
from tests.support.messages import encoded, records, schema, state

SCHEMA = schema()["schema"]
ENTRY = {"tap_stream_id": "public-leads", "stream": "leads", "schema": SCHEMA, "key_properties": ["id"]}
MESSAGE = {"type": "SCHEMA", "stream": "leads", "schema": SCHEMA, "key_properties": ["id"]}


def messages(source: IO[bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    kinds = ("SCHEMA", "RECORD", "STATE")
    LineReader(print).process_lines(as_messages(source), dict.fromkeys(kinds, found.append))
    return found


@pytest.mark.parametrize("indent", [None, 2])
def test_a_catalog_becomes_schema_messages(indent: int | None) -> None:
    catalog = {"streams": [ENTRY, ENTRY | {"stream": "people"}]}
    assert messages(io.BytesIO(json.dumps(catalog, indent=indent).encode())) == [
        MESSAGE,
        MESSAGE | {"stream": "people"},
    ]


def test_a_key_among_the_metadata_is_found() -> None:
    metadata = [
        {"breadcrumb": ["properties", "id"], "metadata": {"inclusion": "automatic"}},
        {"breadcrumb": [], "metadata": {"table-key-properties": ["id"]}},
    ]
    entry = {name: value for name, value in ENTRY.items() if name != "key_properties"} | {"metadata": metadata}
    assert messages(io.BytesIO(json.dumps({"streams": [entry]}).encode())) == [MESSAGE]


def test_a_pipe_is_not_read_to_its_end_for_its_first_message() -> None:
    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError(size)

        read1 = read

    source = as_messages(Pipe(encoded(schema()) + encoded(state("x"))))
    assert json.loads(source.read(100)) == schema()


@given(st.integers(0, 3), st.integers(0, 3))
def test_messages_are_read_as_they_are(blank: int, count: int) -> None:
    lines = [schema(), *records(count), state("x")]
    assert messages(io.BytesIO(b"\n" * blank + b"".join(map(encoded, lines)))) == lines


@pytest.mark.parametrize("text", [b"", b"\n", b"{", b"[]", b"no", b'{"streams": 7}', b'{"streams": [7]}'])
def test_what_is_neither_reaches_the_reader_unchanged(text: bytes) -> None:
    left = as_messages(io.BytesIO(text)).read()
    assert left in (text, b"")
