"""The YAML that `engagevoice init` writes: read by YAML, it is the mapping that the JSON is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.cli.command import main
from target_engagevoice.cli.init import quoted
from tests.support.messages import encoded, record, schema, state
from tests.unit.preflight.test_propose import schemas

if TYPE_CHECKING:
    from pathlib import Path

names = st.text(max_size=20)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_is_the_same_in_yaml_and_in_json(text: str) -> None:
    assert yaml.safe_load(f"{{{quoted(text)}: {quoted(text)}}}  # {quoted(text)[1:-1]}") == {text: text}
    assert quoted(text).isprintable()


def proposed(lines: list[dict[str, Any]], *arguments: str) -> str:
    done = CliRunner().invoke(main, ["init", "--from", "-", *arguments], input=b"".join(map(encoded, lines)))
    assert done.exit_code == 0, done.output
    return done.stdout


@settings(deadline=None)
@given(st.dictionaries(names, st.tuples(schemas, st.lists(names, max_size=2)), min_size=1, max_size=3), names)
def test_yaml_and_json_propose_the_same(streams: dict[str, tuple[Any, list[str]]], campaign: str) -> None:
    lines = [
        {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": keys}
        for stream, (schema, keys) in streams.items()
    ]
    given_campaign = ("--campaign", campaign) if campaign.strip("-") else ()
    as_yaml = yaml.safe_load(proposed(lines, *given_campaign))
    as_json = json.loads(proposed(lines, *given_campaign, "--format", "json"))
    (loader,) = as_yaml["plugins"]["loaders"]
    assert loader["name"] == "target-engagevoice"
    assert loader["config"] == as_json


def test_only_schema_messages_are_read_and_the_last_schema_counts() -> None:
    lines = [schema(properties={"id": {}}), record(1), state("x"), schema()]
    assert json.loads(proposed(lines, "--format", "json"))["mappings"]["leads"]["fields"]["leadPhone"] == "phone"


def test_without_a_campaign_there_is_a_placeholder() -> None:
    assert '"Dial group/Campaign"  # replace it' in proposed([schema()])


def test_an_input_without_a_schema_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    path = tmp_path / "tap.singer"
    path.write_bytes(encoded(state("x")))
    done = CliRunner().invoke(main, ["init", "--from", str(path)])
    assert done.exit_code == 1
    assert "no SCHEMA message" in done.stderr
