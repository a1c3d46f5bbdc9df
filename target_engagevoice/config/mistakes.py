"""All mistakes of a configuration, where a run is stopped by the first: each part is read on its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.config.settings import MAPPINGS, NOBODY
from target_engagevoice.config.sign_in import CREDENTIALS
from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import by_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

TOGETHER = ("stream_map", "flattening_", "faker_config")
"""How the names of the settings begin that the SDK reads together."""

_WHO, _WHERE = ("credentials",), ("base_url",)


@dataclass(frozen=True)
class Part:
    """A part of a configuration that is right or wrong by itself.

    Attributes:
        content: The settings of the part.
        path: Where it stands: the setting, of mappings the stream and key as well.
    """

    content: Mapping[str, Any]
    path: tuple[str, ...]


@dataclass(frozen=True)
class ConfigFindings:
    """What came of reading a configuration part by part.

    Attributes:
        mistakes: A message for each; the one a run would end with is among them.
        sound: What is left without the parts that are wrong.
        says_where: Whether it still says where to sign in and as whom. Nobody else may be asked: with a mistake in
            `base_url`, its default would be given the user's credentials.
    """

    mistakes: tuple[str, ...]
    sound: dict[str, Any]
    says_where: bool


def read_in_parts(config: Mapping[str, Any], accept: Callable[[dict[str, Any]], object]) -> ConfigFindings:
    """Look for every mistake in a configuration.

    Args:
        config: As a user wrote it.
        accept: Reads a configuration as a run does; raises `ConfigError` for its first mistake.
    """
    mistakes: list[str] = []
    sound: dict[str, Any] = {}
    says_where = True
    for part in _parts(config):
        wrong = _mistake({**NOBODY, **part.content} if part.path != _WHO else _who(part.content), accept)
        if wrong is None:
            _add(sound, part)
            continue
        says_where = says_where and part.path not in (_WHO, _WHERE)
        if wrong not in mistakes:
            mistakes.append(wrong)
    whole = _mistake(config, accept)
    if whole is not None and whole not in mistakes:
        mistakes.append(whole)
    return ConfigFindings(tuple(mistakes), sound, says_where and _mistake(sound, accept) is None)


def _who(credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {"base_url": NOBODY["base_url"], **credentials}


def _mistake(config: Mapping[str, Any], accept: Callable[[dict[str, Any]], object]) -> str | None:
    try:
        accept(dict(config))
    except ConfigError as error:
        return str(error)
    return None


def _parts(config: Mapping[str, Any]) -> Iterator[Part]:
    def those(names: Iterable[str]) -> dict[str, Any]:
        return {name: config[name] for name in names}

    yield Part(those(name for name in config if name in CREDENTIALS), _WHO)
    yield Part(those(name for name in config if name.startswith(TOGETHER)), ("stream_maps",))
    for name, value in config.items():
        if name == MAPPINGS:
            yield from _of_mappings(value)
        elif name not in CREDENTIALS and not name.startswith(TOGETHER):
            yield Part({name: value}, (name,))


def _of_mappings(raw: Any) -> Iterator[Part]:
    """Each key of each mapping, and each lead field of its `fields`."""
    value = raw
    if isinstance(raw, str):
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            value = raw
    if not isinstance(value, dict):
        yield Part({MAPPINGS: raw}, (MAPPINGS,))
        return
    for stream, mapping in by_stream(value).items():
        if not isinstance(mapping, dict) or not mapping:
            yield Part({MAPPINGS: {stream: mapping}}, (MAPPINGS, stream))
            continue
        for key, inner in mapping.items():
            if key == "fields" and isinstance(inner, dict):
                for field, source in inner.items():
                    yield Part({MAPPINGS: {stream: {key: {field: source}}}}, (MAPPINGS, stream, key, field))
            else:  # `skip` beside it, so that an unknown key is not taken for the second half of a stream's name
                yield Part({MAPPINGS: {stream: {"skip": False, key: inner}}}, (MAPPINGS, stream, key))


def _add(sound: dict[str, Any], part: Part) -> None:
    """Put a part where it came from."""
    place, content = sound, dict(part.content)
    if part.path[0] != MAPPINGS or len(part.path) == 1:
        place.update(content)
        return
    for name in part.path[:-1]:
        place = place.setdefault(name, {})
        content = content[name]
    place[part.path[-1]] = content[part.path[-1]]
