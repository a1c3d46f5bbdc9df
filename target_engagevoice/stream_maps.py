"""The SDK's stream maps and flattening, with a `ConfigError` for a mistake in their settings."""

from __future__ import annotations

import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import PluginMapper, RemoveRecordTransform

from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence


class Mapper(PluginMapper):
    """The SDK's stream maps and flattening; what they raise is a mistake in the settings."""

    @classmethod
    def of(cls, config: Mapping[str, Any], logger: logging.Logger) -> Mapper:
        """The stream maps of a configuration.

        Raises:
            ConfigError: They cannot be understood, or lack what they need.
        """
        given = {key: value for key, value in copy.deepcopy(dict(config)).items() if value is not None}
        if given.get("flattening_enabled") and "flattening_max_depth" not in given:
            msg = "flattening_enabled: needs flattening_max_depth, the deepest level that is flattened; set it to 1."
            raise ConfigError(msg)
        if given.get("faker_config") and find_spec("faker") is None:
            msg = (
                "faker_config: needs the package Faker; install it beside target-engagevoice, or leave the setting out."
            )
            raise ConfigError(msg)
        try:
            return cls(plugin_config=given, logger=logger)
        except Exception as error:  # noqa: BLE001 - the mapper raises whatever a bad expression does
            msg = f"stream_maps cannot be understood; correct them: {error}"
            raise ConfigError(msg) from None

    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        """Prepare them for a stream.

        Raises:
            ConfigError: They do not fit it.
        """
        try:
            super().register_raw_stream_schema(stream_name, schema, key_properties)
        except Exception as error:  # noqa: BLE001 - the mapper raises whatever a bad expression does
            msg = f"stream_maps or flattening do not fit stream {stream_name}; correct them: {error}"
            raise ConfigError(msg) from None

    def removes(self, name: str) -> bool:
        """Whether a stream map removes all records that would go to this stream."""
        return any(
            stream_map.stream_alias == name and isinstance(stream_map, RemoveRecordTransform)
            for stream_maps in self.stream_maps.values()
            for stream_map in stream_maps
        )
