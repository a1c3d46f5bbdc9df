"""The SDK's target: it takes the messages of a tap, and hands each record to the sink of its stream."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TargetCapabilities

from target_engagevoice.clock import SystemClock
from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import read_config
from target_engagevoice.config.settings import Settings
from target_engagevoice.config.table import json_schema
from target_engagevoice.errors import ConfigError, InputError
from target_engagevoice.logger import NAME, logger
from target_engagevoice.mapping.stream import compile_stream
from target_engagevoice.outcomes.checkpoints import write_to_stdout
from target_engagevoice.run.lifecycle import Lifecycle, RunReader
from target_engagevoice.run.load_run import LoadRun
from target_engagevoice.run.process import run_to_its_end
from target_engagevoice.run.start import RunStart
from target_engagevoice.sinks import METADATA_PREFIX, READ_RECORD, LeadSink, Route, batch_timer, routes_of
from target_engagevoice.stream_maps import Mapper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import click
    from singer_sdk.singerlib.encoding.base import GenericSingerReader

    from target_engagevoice.mapping.stream import Stream
    from target_engagevoice.run.lifecycle import NewRun
    from target_engagevoice.run.open_run import OpenRun


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A record came on a stream whose SCHEMA message did not."""


class KeyMissingError(InputError, MissingKeyPropertiesError):
    """A stream's records lack the key that its SCHEMA message names."""


class TargetEngageVoice(Target):
    """Loads leads from any Singer tap into RingCentral Engage Voice (RingCX) campaigns."""

    name = NAME
    package_name = NAME
    default_sink_class: type[LeadSink] = LeadSink
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]

    def __init__(self, *, fate: str = "loaded", **options: Any) -> None:
        """Check the configuration; nothing is opened or read yet.

        Args:
            fate: What becomes of the lines before one that is no message, see `LineReader`.
            options: The SDK's, such as `config`.

        Raises:
            ConfigError: A setting is wrong.
        """
        self._streams: dict[str, Stream | None] = {}
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._good_keys: set[str] = set()
        self.lifecycle = Lifecycle(self.new_run, self._clean_up, fate)
        self._lines = self.lifecycle.lines
        options.setdefault("message_reader", cast("GenericSingerReader[str]", RunReader(self.lifecycle)))
        super().__init__(**options)

    # What the SDK asks for before reading

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self.append_builtin_config(self.config_jsonschema)
        try:
            self._settings = Settings.parse(self._config)
        except ConfigError as error:
            if raise_errors:
                raise
            return [str(error)]
        return []

    def setup_mapper(self) -> None:
        """Prepare the stream maps.

        Raises:
            ConfigError: They cannot be understood.
        """
        self._mapper = Mapper.of(self._config, self.logger)

    def _setup_signal_handlers(self) -> None:
        """Set none: `process.run_to_its_end` does."""

    # The run

    def new_run(self) -> NewRun:
        """A run, not yet opened."""
        start = RunStart.of(self._settings, SystemClock(), write_to_stdout)
        return LoadRun(start, self.plugin_version, batch_timer)

    @property
    def open_run(self) -> OpenRun:
        """The run, opened when first asked for; see `Lifecycle.run`."""
        return self.lifecycle.run

    def process_endofpipe(self) -> None:
        """Standard input is at its end: deliver every lead, see `Lifecycle.finish`."""
        self.lifecycle.finish()

    def _clean_up(self) -> None:
        for sink in self._sinks_active.values():
            sink.clean_up()

    # Messages

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> LeadSink:
        """The sink of a stream; a new one for a new SCHEMA message.

        Raises:
            ConfigError: The stream has no campaign, or its mapping does not fit it.
        """
        del record
        if schema is not None:
            return self._new_stream(stream_name, schema, key_properties)
        return cast("LeadSink", self._sinks_active[stream_name])

    def _new_stream(self, name: str, schema: dict[str, Any], key_properties: Sequence[str] | None) -> LeadSink:
        keys = tuple(key_properties or ())
        directory = self.open_run.directory
        stream = (
            None
            if cast("Mapper", self.mapper).removes(name)
            else compile_stream(name, schema, keys, self._settings.stream_rules, directory)
        )
        for warning in stream.warnings if stream is not None else ():
            logger.warning("%s", warning)
        self._streams[name] = stream
        self._good_keys.discard(name)
        self._routes.clear()
        if name in self._sinks_active:
            self._sinks_active[name].clean_up()
        return cast("LeadSink", self.add_sink(name, schema, keys))

    def compiled(self, stream_name: str) -> Stream | None:
        """The stream, compiled; None for one that is skipped."""
        return self._streams[stream_name]

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        keys = message_dict.get("key_properties")
        named = keys is None or (isinstance(keys, list) and all(isinstance(key, str) for key in keys))
        if not named or not isinstance(message_dict.get("schema", {}), dict):
            msg = (
                f"line {self._lines.line_number}: a SCHEMA message needs an object as its schema and a list of names "
                "as its key_properties: the tap does not speak Singer."
            )
            raise InputError(msg)
        super()._process_schema_message(message_dict)
        self.open_run.rejects.keep_schema(message_dict["stream"], self._lines.line)

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        try:
            name, record = message_dict["stream"], message_dict["record"]
        except KeyError:
            self._assert_line_requires(message_dict, requires={"stream", "record"})
            raise
        if type(record) is not dict:
            line_number = self._lines.line_number
            msg = f"line {line_number}: the record of stream {name} is not an object: the tap does not speak Singer."
            raise InputError(msg)
        line = self._lines.line
        for route in self._routes.get(name) or self._routes_of(name):
            read = route.outcomes.read(route.alias, line)
            transformed = record if route.transform is None else route.transformed(route.transform, read, record)
            if transformed is None:
                continue
            if route.add_metadata:
                route.sink._add_sdc_metadata_to_record(transformed, message_dict, {})  # noqa: SLF001 - as the SDK does
            elif route.transform is not None or METADATA_PREFIX in line:
                route.sink._remove_sdc_metadata_from_record(transformed)  # noqa: SLF001 - as the SDK does
            if route.alias not in self._good_keys:
                self._check_key(route.alias, transformed)
            route.sink.process_record(transformed, {READ_RECORD: read})

    def _routes_of(self, name: str) -> tuple[Route, ...]:
        """The routes of a stream's records, found once after each SCHEMA message.

        Raises:
            RecordBeforeSchemaError: There was none for this stream.
        """
        if name not in self.mapper.stream_maps:
            msg = f"a record came on stream {name} before its SCHEMA message: the tap does not speak Singer."
            raise RecordBeforeSchemaError(msg)
        add_metadata = bool(self._config.get("add_record_metadata"))
        stream_maps = self.mapper.stream_maps[name]
        self._routes[name] = routes_of(stream_maps, self._sinks_active, self.open_run, add_metadata=add_metadata)
        return self._routes[name]

    def _check_key(self, name: str, record: Mapping[str, Any]) -> None:
        """End the run where a stream lacks its key; a record that lacks it is rejected later.

        Raises:
            KeyMissingError: The first record of the stream has no key.
        """
        stream = self._streams[name]
        if stream is None:
            return
        missing = [key for key in stream.key_properties if key not in record]
        if missing:
            msg = (
                f"stream {name}: its first record lacks the key {', '.join(missing)} that its SCHEMA message names. "
                "Correct the tap, or name other keys with stream_maps and __key_properties__."
            )
            raise KeyMissingError(msg)
        self._good_keys.add(name)

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"value"})
        self.open_run.state(message_dict["value"])

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """A version of a stream is whole: `load_method: overwrite` retires what it no longer holds."""
        self._assert_line_requires(message_dict, requires={"stream", "version"})
        name, version = message_dict["stream"], message_dict["version"]
        if type(version) is not int:
            msg = f"line {self._lines.line_number}: the version of stream {name} is not a number."
            raise InputError(msg)
        for stream_map in self.mapper.stream_maps.get(name, ()):
            if self._streams.get(stream_map.stream_alias) is not None:
                self.open_run.activate(stream_map.stream_alias, version)

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        msg = f"a BATCH message came on stream {message_dict.get('stream')}: remove batch_config from the tap."
        raise InputError(msg)

    # Command line

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Keep the names of the configuration files for `invoke`."""
        del ctx, param
        return value

    @classmethod
    def invoke(  # type: ignore[override]  # the SDK's own commands differ in the same way
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: tuple[str, ...] = (),
        file_input: IO[bytes] | None = None,
    ) -> None:
        """Run the executable, whose options these are; ends the process with the exit code of the contract."""
        super(Target, cls).invoke(about=about, about_format=about_format)
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold URLs, and those a password
        cls.print_version(print_fn=logger.info)
        run_to_its_end(lambda: cls(config=read_config(config, environment)), file_input)
