"""The composition root: configuration → run → SDK target."""

from __future__ import annotations

import copy
import logging
import os
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from singer_sdk import Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TargetCapabilities
from singer_sdk.mapper import PluginMapper, RemoveRecordTransform, SameRecordTransform

from target_engagevoice.checkpoints import write_to_stdout
from target_engagevoice.config_files import read_config
from target_engagevoice.errors import ConfigError, EngageVoiceError, InputError
from target_engagevoice.leads import Outcome, Rejection, Stage
from target_engagevoice.lines import LineReader
from target_engagevoice.load_run import LoadRun
from target_engagevoice.pacing import SystemClock
from target_engagevoice.process import NAME, environment, run_to_its_end
from target_engagevoice.progress import Position
from target_engagevoice.settings import Settings, json_schema
from target_engagevoice.sinks import METADATA_PREFIX, READ_RECORD, LeadSink, batch_timer
from target_engagevoice.streams import compile_stream
from target_engagevoice.watch import Watch, view_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import click
    from singer_sdk.singerlib.encoding.base import GenericSingerReader
    from singer_sdk.sinks import Sink

    from target_engagevoice.outcomes import Outcomes, ReadRecord
    from target_engagevoice.progress import Snapshot
    from target_engagevoice.streams import Stream

    Transform: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any] | None]"

logger = logging.getLogger(NAME)


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A record came on a stream whose SCHEMA message did not."""


class KeyMissingError(InputError, MissingKeyPropertiesError):
    """A stream's records lack the key that its SCHEMA message names."""


class Mapper(PluginMapper):
    """The SDK's stream maps and flattening, whose mistakes are the user's."""

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


@dataclass(frozen=True)
class _Way:
    """Where the records of a stream go, through one stream map.

    Attributes:
        alias: The stream's name behind the stream map.
        transform: The stream map; None for one that gives back the very record, which need not be copied nor asked.
    """

    alias: str
    outcomes: Outcomes
    transform: Transform | None
    sink: LeadSink
    add_metadata: bool


class TargetEngageVoice(Target):
    """Loads leads from any Singer tap into RingCentral Engage Voice (RingCX) campaigns."""

    name = NAME
    package_name = NAME
    default_sink_class = LeadSink
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]

    def __init__(self, **options: Any) -> None:
        """Check the configuration; nothing is opened or read yet.

        Args:
            options: The SDK's, such as `config`.

        Raises:
            ConfigError: A setting is wrong.
        """
        self._load_run: LoadRun | None = None
        self._opening = False
        self._streams: dict[str, Stream | None] = {}
        self._ways: dict[str, tuple[_Way, ...]] = {}
        self._good_keys: set[str] = set()
        self._lines = LineReader(logger.warning)
        self._lines.before_waiting = self._hand_over
        options.setdefault("message_reader", cast("GenericSingerReader[str]", _Reading(self, self._lines)))
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
            ConfigError: They can not be understood.
        """
        config = {key: value for key, value in copy.deepcopy(self._config).items() if value is not None}
        try:
            self._mapper = Mapper(plugin_config=config, logger=self.logger)
        except Exception as error:  # noqa: BLE001 - the mapper raises whatever a bad expression does
            msg = f"stream_maps can not be understood; correct them: {error}"
            raise ConfigError(msg) from None

    def _setup_signal_handlers(self) -> None:
        """Leave the process's signals alone: `process.run_to_its_end` sets them."""

    # Life of a run

    @property
    def load_run(self) -> LoadRun:
        """The run, opened when first asked for.

        Raises:
            FatalError: It can not begin.
        """
        if self._load_run is None:
            self._load_run = self.new_run()
            self._opening = True
            try:
                self._load_run.open()
            finally:
                self._opening = False
        return self._load_run

    def new_run(self) -> LoadRun:
        """A run, not yet opened."""
        return LoadRun(self._settings, SystemClock(), self.plugin_version, write_to_stdout, batch_timer)

    def watch(self) -> None:
        """Show how far the run is until it is over: live on a terminal, in the log elsewhere."""
        run, lines = self.load_run, self._lines

        def look(at: float) -> Snapshot:
            return run.snapshot(at, Position(lines.bytes_read, lines.bytes_total))

        watch = Watch(look, lambda: view_for(sys.stderr, os.environ), SystemClock().monotonic)
        run.when_settled = watch.stop
        watch.start()

    def process_endofpipe(self) -> None:
        """Standard input is at its end: see every lead out.

        Raises:
            EngageVoiceError: The run can not come to its end, or too many records were rejected.
        """
        try:
            self.load_run.finish()
        except EngageVoiceError as error:
            self.close(error)
            raise
        self.close(None)

    def close(self, error: EngageVoiceError | None) -> None:
        """End the run and write its record; a second call does nothing.

        Args:
            error: What ended it; None when it came to its end.
        """
        run, self._load_run = self._load_run, None
        if run is None:
            return
        for sink in self._sinks_active.values():
            sink.clean_up()
        try:
            run.close(error)
        finally:
            run.when_settled()

    def stop(self, error: EngageVoiceError) -> None:
        """Stop as soon as possible, whatever the program is doing. For signal handlers.

        Raises:
            EngageVoiceError: At once, where nothing is lost by it: while a line is waited for, or a run is opening.
        """
        if self._load_run is not None:
            self._load_run.halt.set(error)
        self._lines.stop(error)
        if self._opening:
            raise error

    def _hand_over(self) -> None:
        """Nothing may be kept in hand while the tap is waited for."""
        if self._load_run is not None and not self._opening:
            self._load_run.delivery.hand_over()

    def discard(self, source: IO[bytes]) -> None:
        """Let the tap finish writing, to nobody; a signal ends it."""
        self._lines.discard(source)

    # Messages

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> Sink:
        """The sink of a stream; a new one for a new SCHEMA message.

        Raises:
            ConfigError: The stream has no campaign, or its mapping does not fit it.
        """
        del record
        if schema is not None:
            return self._new_stream(stream_name, schema, key_properties)
        return self._sinks_active[stream_name]

    def _new_stream(self, name: str, schema: dict[str, Any], key_properties: Sequence[str] | None) -> Sink:
        keys = tuple(key_properties or ())
        removed = any(
            stream_map.stream_alias == name and isinstance(stream_map, RemoveRecordTransform)
            for stream_maps in self.mapper.stream_maps.values()
            for stream_map in stream_maps
        )
        run = self.load_run
        stream = None if removed else compile_stream(name, schema, keys, self._settings, run.directory)
        for warning in stream.warnings if stream is not None else ():
            logger.warning("%s", warning)
        self._streams[name] = stream
        self._good_keys.discard(name)
        self._ways.clear()
        if name in self._sinks_active:
            self._sinks_active[name].clean_up()
        sink = cast("LeadSink", self.add_sink(name, schema, keys))
        sink.bind(run, stream)
        return sink

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
        self.load_run.rejects.keep_schema(message_dict["stream"], self._lines.line)

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
        for way in self._ways.get(name) or self._ways_of(name):
            read = way.outcomes.read(way.alias, line)
            transformed = record if way.transform is None else self._transformed(way, way.transform, read, record)
            if transformed is None:
                continue
            if way.add_metadata:
                way.sink._add_sdc_metadata_to_record(transformed, message_dict, {})  # noqa: SLF001 - as the SDK does
            elif way.transform is not None or METADATA_PREFIX in line:
                way.sink._remove_sdc_metadata_from_record(transformed)  # noqa: SLF001 - as the SDK does
            if way.alias not in self._good_keys:
                self._check_key(way.alias, transformed)
            way.sink.process_record(transformed, {READ_RECORD: read})

    def _transformed(
        self, way: _Way, transform: Transform, read: ReadRecord, record: dict[str, Any]
    ) -> dict[str, Any] | None:
        """A record behind its stream map; None when it has its outcome."""
        try:
            transformed = transform(copy.copy(record))
        except Exception as error:  # noqa: BLE001 - a user's expression may raise anything for one record
            words = (
                f"a stream map of {way.alias} fails on this record: {type(error).__name__}. Let its expression take "
                "what this record holds, or lacks."
            )
            way.outcomes.reject(read, None, Rejection(Stage.MAP, "stream_map", words))
            return None
        if transformed is None:
            way.outcomes.settle(read, None, Outcome.SKIPPED)
        return transformed

    def _ways_of(self, name: str) -> tuple[_Way, ...]:
        """The ways of a stream's records, found once after each SCHEMA message.

        Raises:
            RecordBeforeSchemaError: There was none for this stream.
        """
        if name not in self.mapper.stream_maps:
            msg = f"a record came on stream {name} before its SCHEMA message: the tap does not speak Singer."
            raise RecordBeforeSchemaError(msg)
        stream_maps = self.mapper.stream_maps[name]
        alone = len(stream_maps) == 1
        self._ways[name] = tuple(
            _Way(
                each.stream_alias,
                self.load_run.outcomes,
                None if alone and type(each) is SameRecordTransform and not each.flattening_enabled else each.transform,
                cast("LeadSink", self._sinks_active[each.stream_alias]),
                add_metadata=bool(self._config.get("add_record_metadata")),
            )
            for each in stream_maps
        )
        return self._ways[name]

    def _check_key(self, name: str, record: Mapping[str, Any]) -> None:
        """Tell a record without its key, which is rejected, from a stream without it, which ends the run.

        Raises:
            KeyMissingError: No record of the stream had its key so far.
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
        self.load_run.state(message_dict["value"])

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """A version of a stream is whole: `load_method: overwrite` retires what it no longer holds."""
        self._assert_line_requires(message_dict, requires={"stream", "version"})
        name, version = message_dict["stream"], message_dict["version"]
        if type(version) is not int:
            msg = f"line {self._lines.line_number}: the version of stream {name} is not a number."
            raise InputError(msg)
        for stream_map in self.mapper.stream_maps.get(name, ()):
            if self._streams.get(stream_map.stream_alias) is not None:
                self.load_run.activate(stream_map.stream_alias, version)

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


class _Reading:
    """The SDK's reader: ours, with the run closed when a message ends it."""

    def __init__(self, target: TargetEngageVoice, lines: LineReader) -> None:
        self._target = target
        self._lines = lines
        self.assert_line_requires = lines.assert_line_requires

    def process_lines(self, file_input: IO[Any] | None, callbacks: Mapping[Any, Any]) -> Any:
        """Read everything; see `LineReader.process_lines`."""
        try:
            return self._lines.process_lines(file_input, callbacks)
        except InputError as error:
            self._see_out(error)
            raise
        except EngageVoiceError as error:
            self._target.close(error)
            raise

    def _see_out(self, error: InputError) -> None:
        """What came before the line that can not be read is good: load it, and let STATE follow."""
        try:
            self._target.load_run.finish()
        except EngageVoiceError as worse:
            logger.warning("%s", worse)
        self._target.close(error)
