"""`engagevoice init`: proposes mappings for the streams of a tap, from their schemas."""

from __future__ import annotations

import json
import re
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from target_engagevoice.cli.options import format_option
from target_engagevoice.errors import InputError
from target_engagevoice.logger import NAME, logger
from target_engagevoice.preflight.propose import DO_NOT_CALL, PLACEHOLDER, Confidence, propose
from target_engagevoice.singer.catalog import as_messages
from target_engagevoice.singer.reader import LineReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_engagevoice.preflight.propose import Guess, Proposal

EXAMPLES = """\b
Examples:
  tap-salesforce --config tap.json --discover | engagevoice init --from -
  engagevoice init --from tap.singer --campaign Outbound/Renewals
  engagevoice init --from tap.singer --format json > mappings.json
"""

_OTHERS = ("RECORD", "STATE", "BATCH", "ACTIVATE_VERSION")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@click.command(epilog=EXAMPLES)
@click.option(
    "--from",
    "source",
    type=click.File("rb"),
    required=True,
    metavar="FILE",
    help="SCHEMA messages of the tap, or its catalog; - is standard input.",
)
@click.option("--campaign", help="Where the streams go: an id, an exact name, or 'Dial group/Campaign'.")
@format_option("yaml", "json", help_="For meltano.yml, or for a file that is given with --config.")
def init(source: IO[bytes], campaign: str | None, format_: str) -> None:
    """Propose the mappings for the streams of a tap.

    Reads the SCHEMA messages that the tap writes, or the catalog that it writes with --discover, and guesses from the
    names and types of the fields. Each guess has a confidence and a reason. The YAML is for meltano.yml and has them
    as comments. The JSON is for a second --config, and they are on standard error. A stream without a phone is
    proposed to be skipped. Read the proposal before you use it, and check the leads with engagevoice preview.
    """
    proposals = [propose(name, *known) for name, known in _schemas(source).items()]
    if not proposals:
        raise InputError("there is no SCHEMA message. Give the output of the tap, with or without --discover.")
    target = campaign or PLACEHOLDER
    if format_ == "yaml":
        click.echo("\n".join(_yaml(proposals, target)))
        return
    _show_guesses(proposals)
    click.echo(json.dumps({"mappings": {each.stream: each.mapping(target) for each in proposals}}, indent=2))


def _schemas(source: IO[bytes]) -> dict[str, tuple[Mapping[str, Any], tuple[str, ...]]]:
    """Each stream's last schema and its key.

    Raises:
        InputError: The input does not speak Singer.
    """
    schemas: dict[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {}
    reader = LineReader(logger.warning, fate="read")

    def take(message: dict[str, Any]) -> None:
        reader.assert_line_requires(message, {"stream", "schema"})
        keys = message.get("key_properties") or []
        if not (isinstance(message["schema"], dict) and isinstance(keys, list)):
            msg = f"line {reader.line_number}: a SCHEMA message needs an object as its schema and a list as its keys."
            raise InputError(msg)
        schemas[message["stream"]] = (message["schema"], tuple(map(str, keys)))

    reader.process_lines(as_messages(source), {"SCHEMA": take, **dict.fromkeys(_OTHERS, _ignore)})
    return schemas


def _ignore(_message: dict[str, Any]) -> None:
    """Do nothing: only SCHEMA messages describe the streams."""


def _yaml(proposals: Iterable[Proposal], campaign: str) -> Iterator[str]:
    """The loader's entry in `meltano.yml`; strings are JSON strings, which are valid YAML."""
    yield "# Proposed by engagevoice init. Each guess has a confidence: high, medium or low. Check the low ones."
    yield "plugins:"
    yield "  loaders:"
    yield f"  - name: {NAME}"
    yield "    config:"
    yield "      mappings:"
    for proposal in proposals:
        stream = f"        {quoted(proposal.stream)}:"
        mapping = proposal.mapping(campaign)
        if proposal.preset is None:
            yield f"{stream}  # {_comment(proposal.why)}"
            yield "          skip: true"
            continue
        yield stream
        yield f"          preset: {proposal.preset}  # {_comment(proposal.why)}"
        replace = "  # replace it: engagevoice campaigns lists yours" if campaign == PLACEHOLDER else ""
        yield f"          campaign: {quoted(campaign)}{replace}"
        if proposal.joined_key:
            yield f"          # externId: {_comment('|'.join(proposal.joined_key))}, the key, is joined by the preset"
        guesses = {guess.name: guess for guess in proposal.guesses}
        yield "          fields:"
        for name, sources in mapping["fields"].items():
            yield f"            {name}: {_flow(sources)}  # {_reason(guesses[name])}"
        if DO_NOT_CALL in mapping:
            yield f"          {DO_NOT_CALL}: {_flow(mapping[DO_NOT_CALL])}  # {_reason(guesses[DO_NOT_CALL])}"


def _flow(sources: str | Sequence[str]) -> str:
    if isinstance(sources, str):
        return quoted(sources)
    return f"[{', '.join(map(quoted, sources))}]"


def quoted(text: str) -> str:
    """A text as a double-quoted scalar of JSON and YAML, with unprintable characters escaped."""

    def escaped(match: re.Match[str]) -> str:
        character = match[0]
        if character.isprintable():
            return character
        code = ord(character)
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the largest code point that \u can write

    return _UNPRINTABLE.sub(escaped, json.dumps(text, ensure_ascii=False))


def _comment(text: str) -> str:
    return quoted(text)[1:-1].replace('\\"', '"')


def _reason(guess: Guess) -> str:
    return f"{guess.confidence.value}: {_comment(guess.why)}"


def _show_guesses(proposals: Iterable[Proposal]) -> None:
    """Show each guess with its confidence and reason on standard error."""
    from target_engagevoice.cli.sheet import Sheet  # noqa: PLC0415 - imports rich, which YAML does not need

    sheet = Sheet(sys.stderr)
    for proposal in proposals:
        if proposal.preset is None:
            sheet.heading(f"Stream {proposal.stream}: to be skipped, since {proposal.why}")
            continue
        sheet.heading(f"Stream {proposal.stream}: preset {proposal.preset}, since {proposal.why}")
        if proposal.joined_key:
            sheet.line(f"externId is the key, joined by the preset: {'|'.join(proposal.joined_key)}")
        columns = ("source", "lead field", "confidence", "why")
        rows = [(", else ".join(each.sources), each.name, each.confidence.value, each.why) for each in proposal.guesses]
        sheet.table(columns, rows)
    low = sum(guess.confidence is Confidence.LOW for each in proposals for guess in each.guesses)
    if low:
        sheet.line(f"{low} {'guess has' if low == 1 else 'guesses have'} low confidence: check before use.")
