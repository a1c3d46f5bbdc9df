"""Finds every mistake of a configuration, by reading each part on its own; a run stops at the first mistake."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.config.settings import MAPPINGS, OFFLINE
from target_engagevoice.config.sign_in import CREDENTIALS
from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import by_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

SDK_PREFIXES = ("stream_map", "flattening_", "faker_config")
"""Beginnings of the names of settings that the SDK reads together."""

_SIGN_IN, _SERVER = ("credentials",), ("base_url",)
"""Paths of the parts that a connection needs."""


@dataclass(frozen=True)
class Part:
    """A part of a configuration that is valid or not, independently of the other parts.

    Attributes:
        content: The settings of the part.
        path: The setting; for mappings, also stream and key.
    """

    content: Mapping[str, Any]
    path: tuple[str, ...]


@dataclass(frozen=True)
class ConfigFindings:
    """The result of reading a configuration part by part.

    Attributes:
        mistakes: A message for each mistake; the one that a run would end with is among them.
        valid: The configuration without the parts that have mistakes.
        can_connect: Whether `valid` names the server and the sign-in. If not, no server may be contacted: with a
            mistake in `base_url`, the user's credentials would be sent to the default server.
    """

    mistakes: tuple[str, ...]
    valid: dict[str, Any]
    can_connect: bool


def read_in_parts(config: Mapping[str, Any], accept: Callable[[dict[str, Any]], object]) -> ConfigFindings:
    """Find every mistake in a configuration.

    Args:
        config: As a user wrote it.
        accept: Reads a configuration as a run does; raises `ConfigError` for its first mistake.
    """
    mistakes: list[str] = []
    valid: dict[str, Any] = {}
    can_connect = True
    for part in _parts(config):
        wrong = _mistake({**OFFLINE, **part.content} if part.path != _SIGN_IN else _sign_in_only(part.content), accept)
        if wrong is None:
            _add(valid, part)
            continue
        can_connect = can_connect and part.path not in (_SIGN_IN, _SERVER)
        if wrong not in mistakes:
            mistakes.append(wrong)
    whole = _mistake(config, accept)
    if whole is not None and whole not in mistakes:
        mistakes.append(whole)
    return ConfigFindings(tuple(mistakes), valid, can_connect and _mistake(valid, accept) is None)


def _sign_in_only(credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {"base_url": OFFLINE["base_url"], **credentials}


def _mistake(config: Mapping[str, Any], accept: Callable[[dict[str, Any]], object]) -> str | None:
    try:
        accept(dict(config))
    except ConfigError as error:
        return str(error)
    return None


def _parts(config: Mapping[str, Any]) -> Iterator[Part]:
    def pick(names: Iterable[str]) -> dict[str, Any]:
        return {name: config[name] for name in names}

    yield Part(pick(name for name in config if name in CREDENTIALS), _SIGN_IN)
    yield Part(pick(name for name in config if name.startswith(SDK_PREFIXES)), ("stream_maps",))
    for name, value in config.items():
        if name == MAPPINGS:
            yield from _of_mappings(value)
        elif name not in CREDENTIALS and not name.startswith(SDK_PREFIXES):
            yield Part({name: value}, (name,))


def _of_mappings(raw: Any) -> Iterator[Part]:
    """The parts of mappings: each key of each mapping, and each lead field of its `fields`."""
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
            else:  # `skip` keeps an unknown key from being read as the second half of a stream's name
                yield Part({MAPPINGS: {stream: {"skip": False, key: inner}}}, (MAPPINGS, stream, key))


def _add(valid: dict[str, Any], part: Part) -> None:
    """Add a part at its path."""
    target, content = valid, dict(part.content)
    if part.path[0] != MAPPINGS or len(part.path) == 1:
        target.update(content)
        return
    for name in part.path[:-1]:
        target = target.setdefault(name, {})
        content = content[name]
    target[part.path[-1]] = content[part.path[-1]]
