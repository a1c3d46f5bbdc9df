"""Steps: what each step of a record costs, in microseconds of processor time, and what its fast path saves.

`taskset -c 1 python benchmarks/steps.py [--records 2000] [--rounds 25]`

Each step runs alone, in this process, on records that were prepared for it. The steps take turns, round by round, so
that a busy machine slows all of them. `map` is what remains of making a lead when phones, encode and digest, which
happen inside of it, are subtracted. A run does more than these steps: `records.py` measures the whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import stream
from benchmarks.contenders import target_config
from benchmarks.lead_mapping import LEAD_PHONE
from benchmarks.machine import description
from benchmarks.script import FIRST_CAMPAIGN
from target_engagevoice.config.settings import Settings
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.mapping.stream import compile_stream
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Lead, digest_of
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.singer.reader import LineReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.mapping.stream import Stream

BATCH_ROWS = 500
"""Leads a request, as `batch_size_rows` has it."""
_MICRO = 1e6
_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Step:
    """One step, on all records.

    Attributes:
        fast: Takes the fast path where there is one.
        plain: Takes the plain path; None where there is only one.
        inside: Other steps that happen inside of this one, by their fast path: their cost is subtracted.
    """

    name: str
    fast: Callable[[], object]
    plain: Callable[[], object] | None = None
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a step costs, in microseconds a record.

    Attributes:
        plain: By the plain path; the same as `fast` where there is only one.
        has_plain: Whether there are two.
    """

    fast: float
    plain: float
    has_plain: bool


class _PlainReader(LineReader):
    """Decodes each line with the standard library."""

    def _message(self, line: bytes) -> dict[str, Any] | None:
        message: dict[str, Any] | None = json.loads(line, parse_float=Decimal) if line else None
        return message


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args(arguments)
    sys.stdout.write(f"{description()}\n{options.records} records, {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="benchmark-steps-") as name:
        costs = measure(options.records, options.rounds, Path(name))
    sys.stdout.write(f"{table(costs)}\n")


def measure(records: int, rounds: int, folder: Path) -> dict[str, Cost]:
    """The cost of each step: the median of the rounds.

    Args:
        records: How many go through each step in a round.
        rounds: How often each step runs.
        folder: Where the ledger is made.
    """
    ledger = Ledger.open(None, folder, "1", "benchmark")
    try:
        steps = _steps(records, ledger)
        spent: dict[str, list[tuple[float, float]]] = {step.name: [] for step in steps}
        for _ in range(rounds):
            for step in steps:
                fast = _seconds(step.fast)
                spent[step.name].append((fast, fast if step.plain is None else _seconds(step.plain)))
    finally:
        ledger.close()
    each = {
        name: [statistics.median(path) / records * _MICRO for path in zip(*times, strict=True)]
        for name, times in spent.items()
    }
    return {
        step.name: Cost(
            each[step.name][0] - sum(each[name][0] for name in step.inside),
            each[step.name][1] - sum(each[name][0] for name in step.inside),
            step.plain is not None,
        )
        for step in steps
    }


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of this process: what else runs on the machine does not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def table(costs: Mapping[str, Cost]) -> str:
    """The steps, their share of all of them, and how many times as long the plain path takes."""
    whole = Cost(sum(cost.fast for cost in costs.values()), sum(cost.plain for cost in costs.values()), has_plain=True)
    rows = [f"{'step':10} {'µs a record':>12} {'share':>7} {'plain path, µs':>15} {'plain / fast':>13}"]
    for name, cost in {**costs, "all steps": whole}.items():
        row = f"{name:10} {cost.fast:12.2f} {cost.fast / whole.fast:7.0%}"
        if cost.has_plain:
            row += f" {cost.plain:15.2f} {cost.plain / cost.fast:13.1f}"
        rows.append(row)
    return "\n".join(rows)


def _steps(records: int, ledger: Ledger) -> list[Step]:
    """The steps, with records of the benchmarks' stream prepared for each."""
    text = b"".join(line for line in stream.lines(records) if line.startswith(b'{"type": "RECORD"'))
    read: list[dict[str, Any]] = []
    LineReader(_ignore).process_lines(BytesIO(text), {"RECORD": lambda message: read.append(message["record"])})
    compiled = _compiled()
    leads = [lead for record in read if isinstance(lead := compiled.mapping.lead(record, single_phone=False), Lead)]
    if len(leads) != records:
        msg = f"{len(leads)} of {records} records became leads."
        raise ValueError(msg)
    ignored = {"RECORD": _ignore}
    return [
        Step(
            "read",
            lambda: LineReader(_ignore).process_lines(BytesIO(text), ignored),
            lambda: _PlainReader(_ignore).process_lines(BytesIO(text), ignored),
        ),
        _validate(compiled, read),
        _map(compiled, read),
        _phones(read),
        Step("digest", lambda: [digest_of(lead.body) for lead in leads]),
        Step("ledger", lambda: _ledger(ledger, leads)),
        _encode(leads),
    ]


def _ignore(*_given: object) -> None:
    """Take a message and do nothing with it."""


def _compiled() -> Stream:
    settings = Settings.parse(target_config("http://127.0.0.1:1"))
    campaign = Campaign(str(FIRST_CAMPAIGN), "Benchmark", "1", "Dial group")
    directory = Directory([campaign])
    return _given(compile_stream(stream.STREAM, stream.SCHEMA, ["Id"], settings.stream_rules, directory))


def _given(part: _Part | None) -> _Part:
    """A part that the benchmarks' stream has."""
    if part is None:
        raise ValueError("the benchmarks' stream has no fast path for each step.")
    return part


def _validate(compiled: Stream, read: Sequence[Mapping[str, Any]]) -> Step:
    schema = _given(compiled.schema)
    fits = _given(schema.fits)
    return Step(
        "validate", lambda: [fits(record) for record in read], lambda: [schema.check_plainly(record) for record in read]
    )


def _map(compiled: Stream, read: Sequence[Mapping[str, Any]]) -> Step:
    """The checks of flags and the making of the lead."""
    mapping = compiled.mapping
    flagged, _, lead_of = _given(mapping.fast_path)
    return Step(
        "map",
        lambda: [lead_of(record) for record in read if flagged(record) is None],
        lambda: [
            mapping.plain_lead(record, single_phone=False) for record in read if mapping.flags.screen(record) is None
        ],
        inside=("phones", "digest", "encode"),
    )


def _phones(read: Sequence[Mapping[str, Any]]) -> Step:
    """Both phones of a lead: `leadPhone`, and `auxPhone` where it is not the same field."""
    mobile, landline = LEAD_PHONE
    texts = [text for record in read for text in (record[mobile], record[landline]) if text is not None]
    policy, in_full = PhonePolicy(), PhonePolicy()
    vars(in_full)["plain"] = _ignore  # reads no number, so that each is read by the library
    dialed = policy.dialed
    return Step("phones", lambda: [dialed(text) for text in texts], lambda: [in_full.normalize(text) for text in texts])


def _ledger(ledger: Ledger, leads: Sequence[Lead]) -> None:
    """The calls to the ledger for new leads, one batch at a time."""
    load = next(_LOADS)
    for start in range(0, len(leads), BATCH_ROWS):
        digests = {f"{load}-{lead.extern_id}": lead.digest for lead in leads[start : start + BATCH_ROWS]}
        campaign_id = str(FIRST_CAMPAIGN)
        ledger.accepted(campaign_id, list(digests))
        ledger.claim(stream.STREAM, campaign_id, digests, 0.0)
        ledger.settle(stream.STREAM, campaign_id, digests, (), 0.0)


_LOADS = itertools.count()
"""Numbers the calls to `_ledger`, so that the leads of each call are new to the ledger."""


def _encode(leads: Sequence[Lead]) -> Step:
    """The fields of a struct are in the order of their names. Those of a dictionary are sorted first."""
    fields = [lead.fields for lead in leads]
    names = sorted({name for each in fields for name in each})
    row_of = msgspec.defstruct("Row", [(name, Any, None) for name in names], omit_defaults=True, gc=False)
    values = [[each.get(name) for name in names] for each in fields]
    of_struct, of_dictionary = msgspec.json.Encoder().encode, msgspec.json.Encoder(order="sorted").encode
    return Step(
        "encode",
        lambda: [of_struct(row_of(*each)) for each in values],
        lambda: [of_dictionary(each) for each in fields],
    )


if __name__ == "__main__":
    main()
