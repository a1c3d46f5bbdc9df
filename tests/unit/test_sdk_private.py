"""What this package uses of the SDK beside its public interface. When the SDK changes it, these tests fail."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from singer_sdk import Target
from singer_sdk.helpers._flattening import FlatteningOptions
from singer_sdk.mapper import PluginMapper, SameRecordTransform, StreamMap
from singer_sdk.sinks import Sink

from target_engagevoice.target import TargetEngageVoice
from tests.support.source_records import records

CALLED_WITH_A_MESSAGE = (
    "_process_schema_message",
    "_process_record_message",
    "_process_state_message",
    "_process_activate_version_message",
    "_process_batch_message",
)


class _Reader:
    """Keeps the callbacks that the SDK hands to its reader."""

    callbacks: Any = None

    def process_lines(self, _source: Any, callbacks: Any) -> dict[str, int]:
        self.callbacks = callbacks
        return {}


@pytest.mark.parametrize("name", CALLED_WITH_A_MESSAGE)
def test_the_reader_calls_the_methods_of_this_target(name: str) -> None:
    reader: Any = _Reader()
    target = TargetEngageVoice(config={"base_url": "sandbox", "api_token": "t"}, message_reader=reader)
    target.process_lines(None)
    assert getattr(target, name) in reader.callbacks.values()


@pytest.mark.parametrize("name", CALLED_WITH_A_MESSAGE)
def test_the_sdk_still_takes_a_message_the_same_way(name: str) -> None:
    assert list(inspect.signature(getattr(Target, name)).parameters) == ["self", "message_dict"]


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (Target, "_assert_line_requires", ["self", "message_dict", "requires"]),
        (Target, "_validate_config", ["self", "raise_errors"]),
        (Target, "_setup_signal_handlers", ["self"]),
        (Sink, "_add_sdc_metadata_to_record", ["self", "record", "message", "context"]),
        (Sink, "_remove_sdc_metadata_from_record", ["self", "record"]),
        (Sink, "_validate_and_parse", ["self", "record"]),
        (PluginMapper, "register_raw_stream_schema", ["self", "stream_name", "schema", "key_properties"]),
    ],
)
def test_a_private_method_takes_what_it_took(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize("name", ["_sinks_active", "_config", "_mapper"])
def test_a_target_still_has_the_private_field(name: str) -> None:
    assert hasattr(TargetEngageVoice(config={"base_url": "sandbox", "api_token": "t"}), name)


def stream_map(options: FlatteningOptions | None = None) -> StreamMap:
    return SameRecordTransform("people", {"properties": {}}, ["id"], options)


@given(records("id", "name"))
def test_a_stream_map_that_is_not_called_would_return_the_very_record(record: dict[str, Any]) -> None:
    assert stream_map().transform(record) is record


def test_a_stream_map_that_flattens_says_so() -> None:
    assert stream_map(FlatteningOptions(enabled=True, max_level=1)).flattening_enabled
