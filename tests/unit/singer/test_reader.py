"""Standard input, line by line: everything a tap writes is read, nothing of it is shown."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from contextlib import closing
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.errors import InputError, Interrupted
from target_engagevoice.singer.reader import LineReader, discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "ann@example.com"


class Warnings:
    """A logger's `warning`."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, text: str, *values: Any) -> None:
        self.messages.append(text % values)


def read(source: bytes | IO[Any], kinds: tuple[str, ...] = ("RECORD", "STATE")) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    LineReader(Warnings()).process_lines(stream, dict.fromkeys(kinds, messages.append))
    return messages


def refusal(source: bytes | IO[Any]) -> str:
    with pytest.raises(InputError) as caught:
        read(source)
    return str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
messages_of_a_tap = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["RECORD", "STATE"]), "value": values}), max_size=6
)


@given(messages_of_a_tap, st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", "\n  \n"]))
def test_what_a_tap_writes_is_what_is_read(messages: list[Any], ascii_only: bool, text: bool, end: str) -> None:
    lines = "".join(json.dumps(message, ensure_ascii=ascii_only) + end for message in messages)
    stream = io.StringIO(lines, newline="") if text else io.BytesIO(lines.encode("utf-8", "surrogatepass"))
    assert read(stream) == messages


def test_the_last_line_needs_no_end() -> None:
    assert read(b'{"type": "STATE"}') == [{"type": "STATE"}]


def test_nothing_is_no_message() -> None:
    assert read(b"") == []


def read_of(stream: IO[Any]) -> tuple[int, int | None]:
    lines = LineReader(Warnings())
    lines.process_lines(stream, {})
    return lines.bytes_read, lines.bytes_total


def test_how_much_of_a_file_was_read_is_known(tmp_path: Path) -> None:
    content = b'{"type": "STATE"}\n' * 9000  # two blocks and a bit
    (tmp_path / "leads.singer").write_bytes(content)
    with (tmp_path / "leads.singer").open("rb") as stream:
        assert read_of(stream) == (len(content), len(content))


def test_what_was_read_of_a_file_before_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "leads.singer").write_bytes(b'{"type": "STATE"}\n' * 2)
    with (tmp_path / "leads.singer").open("rb") as stream:
        stream.readline()
        assert read_of(stream) == (18, 18)


def test_how_much_a_pipe_will_bring_is_not_known() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb") as end:
        end.write(b'{"type": "STATE"}\n')
    with os.fdopen(ours, "rb") as stream:
        assert read_of(stream) == (18, None)


def test_how_much_something_else_will_bring_is_not_known() -> None:
    assert read_of(io.BytesIO(b'{"type": "STATE"}\n')) == (18, None)


def test_messages_are_counted_by_type() -> None:
    reader = LineReader(Warnings())
    source = io.BytesIO(b'{"type": "STATE"}\n{"type": "STATE"}\n{"type": "NEWS"}\n')
    assert reader.process_lines(source, {"STATE": lambda _: None}) == {"STATE": 2, "NEWS": 1}


def test_standard_input_is_read_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with io.TextIOWrapper(io.BytesIO(b'{"type": "STATE"}\n')) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        messages: list[Any] = []
        LineReader(Warnings()).process_lines(None, {"STATE": messages.append})
    assert messages == [{"type": "STATE"}]


@pytest.mark.parametrize("number", ["1.10", "12345678901234567890.123456789", "1E+5", "-0.0"])
def test_numbers_with_a_point_keep_their_digits(number: str) -> None:
    (message,) = read(f'{{"type": "RECORD", "value": {number}}}'.encode())
    assert str(message["value"]) == str(Decimal(number))


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"', '"\\u0000"'])
def test_what_python_taps_write_is_read(value: str) -> None:
    assert len(read(f'{{"type": "RECORD", "value": {value}}}'.encode())) == 1


def test_a_line_of_ten_megabytes_is_read() -> None:
    (message,) = read(b'{"type": "RECORD", "value": "' + b"x" * 10_000_000 + b'"}')
    assert len(message["value"]) == 10_000_000


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b'\xef\xbb\xbf{"type": "STATE"}') == [{"type": "STATE"}]


# What is no Singer


BAD = {
    "no JSON": (b'{"type": "RECORD", "email": "' + SECRET.encode(), "is not JSON"),
    "text": (SECRET.encode(), "is not JSON"),
    "two in a line": (b'{"type": "STATE"}{"email": "' + SECRET.encode() + b'"}', "is not JSON"),
    "an array": (f'["{SECRET}"]'.encode(), "has no type"),
    "no type": (f'{{"email": "{SECRET}"}}'.encode(), "has no type"),
    "a type that is no text": (f'{{"type": ["{SECRET}"]}}'.encode(), "has no type"),
    "a stream that is no name": (f'{{"type": "RECORD", "stream": ["{SECRET}"]}}'.encode(), "must be a name"),
    "no UTF-8": (b'{"type": "RECORD", "email": "' + SECRET.encode() + b'\xff"}', "is not UTF-8"),
    "nested without end": (b'{"type": "RECORD", "email": "ann@example.com", "x": ' + b"[" * 100_000, "is not JSON"),
    "a number without end": (b'{"type": "RECORD", "x": ' + b"9" * 10_000 + b"}", "is not JSON"),
    "an exponent without end": (b'{"type": "RECORD", "x": 1e' + b"9" * 40 + b"}", "is not JSON"),
}


@pytest.mark.parametrize(("line", "text"), BAD.values(), ids=BAD)
def test_the_error_names_the_line_that_is_not_a_message(line: bytes, text: str) -> None:
    message = refusal(b'{"type": "STATE"}\n' + line + b"\n")
    assert message.startswith("line 2")
    assert text in message


@pytest.mark.parametrize("line", [line for line, _ in BAD.values()], ids=BAD)
def test_what_is_no_message_is_not_shown(line: bytes) -> None:
    assert SECRET not in refusal(line)


@pytest.mark.parametrize("line", [line for line, _ in BAD.values()], ids=BAD)
def test_what_is_no_message_is_not_in_the_errors_cause(line: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(line)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (
        None,
        True,
    ) or caught.value.__context__ is None


def test_what_came_before_a_bad_line_was_handed_over() -> None:
    taken: list[Any] = []
    with pytest.raises(InputError):
        LineReader(Warnings()).process_lines(io.BytesIO(b'{"type": "STATE"}\nx\n'), {"STATE": taken.append})
    assert len(taken) == 1


def test_the_error_names_the_line_that_is_not_utf8() -> None:
    source = io.TextIOWrapper(io.BytesIO(b'{"type": "STATE"}\n\xff\n'), encoding="utf-8")
    with closing(source):
        assert "is not UTF-8" in refusal(source)


@given(st.binary(max_size=60))
def test_any_bytes_are_messages_or_an_input_error(line: bytes) -> None:
    try:
        read(line)
    except InputError:
        return


def test_unknown_types_are_ignored_with_one_warning() -> None:
    warnings = Warnings()
    LineReader(warnings).process_lines(io.BytesIO(b'{"type": "NEWS"}\n' * 3), {})
    assert warnings.messages == ["Messages of a type NEWS are not known and are ignored."]


def test_an_unknown_type_that_is_not_a_plain_word_is_not_shown() -> None:
    warnings = Warnings()
    LineReader(warnings).process_lines(io.BytesIO(f'{{"type": "{SECRET}"}}'.encode()), {})
    assert SECRET not in warnings.messages[0]


def test_what_a_message_lacks_is_named_but_not_the_message() -> None:
    reader = LineReader(Warnings())

    def check(message: dict[str, Any]) -> None:
        reader.assert_line_requires(message, {"stream", "record"})

    with pytest.raises(InputError, match=r"^line 1 is missing record, stream: the tap does not speak Singer\.$"):
        reader.process_lines(io.BytesIO(f'{{"type": "RECORD", "email": "{SECRET}"}}'.encode()), {"RECORD": check})


def test_what_a_callback_raises_comes_out() -> None:
    def fail(_: Any) -> None:
        raise Interrupted("no more")

    with pytest.raises(Interrupted, match="no more"):
        LineReader(Warnings()).process_lines(io.BytesIO(b'{"type": "STATE"}'), {"STATE": fail})


# Stopping


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], Callable[[bytes], int]]]:
    reading, writing = os.pipe()
    with open(reading, "rb") as source:  # noqa: PTH123 - a file descriptor
        yield source, lambda data: os.write(writing, data)
        os.close(writing)


@pytest.fixture
def on_alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Have something called by a signal handler in a moment."""
    before = signal.getsignal(signal.SIGALRM)

    def arrange(call: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: call())
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    yield arrange
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_ends_the_waiting_for_a_line(pipe: Any, on_alarm: Any) -> None:
    source, _ = pipe
    reader = LineReader(Warnings())
    on_alarm(lambda: reader.stop(Interrupted("stopped")))
    began = time.monotonic()
    with pytest.raises(Interrupted, match="stopped"):
        reader.process_lines(source, {})
    assert time.monotonic() - began < 5


def test_a_signal_while_a_message_is_handled_lets_it_be_handled(pipe: Any, on_alarm: Any) -> None:
    source, write = pipe
    write(b'{"type": "STATE"}\n{"type": "STATE"}\n')
    reader = LineReader(Warnings())
    handled: list[str] = []

    def handle(_: Any) -> None:
        on_alarm(lambda: reader.stop(Interrupted("stopped")))
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            time.sleep(0.01)
        handled.append("whole")

    with pytest.raises(Interrupted):
        reader.process_lines(source, {"STATE": handle})
    assert handled == ["whole"]


def test_a_stop_before_the_first_line_reads_none() -> None:
    reader = LineReader(Warnings())
    reader.stop(Interrupted("stopped"))
    source = io.BytesIO(b'{"type": "STATE"}\n')
    with pytest.raises(Interrupted):
        reader.process_lines(source, {})
    assert source.tell() == 0


def test_a_stop_from_another_thread_does_not_raise_there() -> None:
    reader = LineReader(Warnings())
    reader._waiting = True
    failures: list[BaseException] = []

    def stop() -> None:
        try:
            reader.stop(Interrupted("stopped"))
        except Interrupted as error:
            failures.append(error)

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()
    assert failures == []


# Discarding


def test_the_rest_is_read_to_its_end() -> None:
    source = io.BytesIO(b"x" * 3_000_000)
    discard(source)
    assert source.read() == b""


def test_a_closed_input_is_not_read() -> None:
    source = io.BytesIO(b"x")
    source.close()
    discard(source)


def test_a_terminal_is_not_read() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    source = Terminal(b"x")
    discard(source)
    assert source.read() == b"x"


def test_a_signal_ends_the_discarding(pipe: Any, on_alarm: Any) -> None:
    source, _ = pipe
    reader = LineReader(Warnings())
    on_alarm(lambda: reader.stop(Interrupted("stopped")))
    began = time.monotonic()
    reader.discard(source)
    assert time.monotonic() - began < 5
