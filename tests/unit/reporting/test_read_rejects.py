"""Reading rejects: by reason, and as the messages they came in."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_engagevoice.errors import StorageError
from target_engagevoice.model.lead import Rejection, Stage
from target_engagevoice.reporting.past_runs import PastRun
from target_engagevoice.reporting.read_rejects import MOST_EXAMPLES, reject_groups, singer_messages
from target_engagevoice.singer.json import decode
from tests.support.factories import lead
from tests.support.past_runs import NO_PHONE, PastDay

if TYPE_CHECKING:
    from pathlib import Path

OTHER = Rejection(Stage.SERVER, "http_400", "Bad request")


@pytest.fixture
def day(tmp_path: Path) -> PastDay:
    return PastDay(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> PastRun:
    return PastRun(tmp_path, "run-1")


def messages(run: PastRun) -> list[Any]:
    return [decode(line.encode()) for line in singer_messages(run)]


def records(run: PastRun) -> list[Any]:
    return [message["record"] for message in messages(run) if message["type"] == "RECORD"]


# By reason


def test_groups_are_counted_the_largest_first(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1}, rejection=OTHER, lead=lead(1))
    day.reject(run, {"id": 2}, {"id": 3})
    first, second = reject_groups(run)
    assert (first.stream, first.stage, first.reason, first.count) == ("people", "phone", "missing_phone", 2)
    assert (first.lines, first.extern_ids, first.message) == ([2, 3], [], NO_PHONE.message)
    assert (second.reason, second.count, second.lines, second.extern_ids) == ("http_400", 1, [1], ["L1"])
    assert second.campaign_ids == {"1001": 1}
    assert second.example["record"] == {"id": 1}


def test_of_a_large_group_a_few_places_are_kept(day: PastDay, run: PastRun) -> None:
    day.reject(run, *({"id": number} for number in range(100)))
    (group,) = reject_groups(run)
    assert (group.count, group.lines) == (100, [*range(1, MOST_EXAMPLES + 1)])


def test_a_run_without_rejects_has_no_groups(run: PastRun) -> None:
    assert reject_groups(run) == []


def test_a_line_that_broke_off_is_passed_over(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1})
    with run.rejects_path.open("a") as file:
        file.write('{"time": "2026')
    assert [group.count for group in reject_groups(run)] == [1]
    assert records(run) == [{"id": 1}]


# As messages


def test_each_stream_has_its_schema_before_its_records_and_no_state(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1})
    day.reject(run, {"id": 2}, stream="contacts")
    day.reject(run, {"id": 3})
    told = [(message["type"], message["stream"]) for message in messages(run)]
    assert told == [
        ("SCHEMA", "people"),
        ("RECORD", "people"),
        ("SCHEMA", "contacts"),
        ("RECORD", "contacts"),
        ("RECORD", "people"),
    ]


def test_a_stream_goes_by_the_name_the_tap_gave_it(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1}, stream="people", source="Lead")
    assert {message["stream"] for message in messages(run)} == {"Lead"}


def test_streams_that_a_stream_map_gives_one_name_come_back_under_their_own(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1}, stream="people", source="Lead")
    day.reject(run, {"id": 1}, stream="people", source="Contact")
    assert [message["stream"] for message in messages(run)] == ["Lead", "Lead", "Contact", "Contact"]


def test_of_several_versions_the_last_is_given(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1, "v": 1}, {"id": 2, "v": 1}, {"id": 1, "v": 2})
    assert records(run) == [{"id": 2, "v": 1}, {"id": 1, "v": 2}]


def test_a_record_rejected_on_two_routes_is_given_once(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1}, stream="people", source="Lead")
    day.reject(run, {"id": 1}, stream="partners", source="Lead")
    assert records(run) == [{"id": 1}]


@pytest.mark.parametrize("keys", [(), ("missing",)])
def test_records_without_a_key_are_all_given(day: PastDay, run: PastRun, keys: tuple[str, ...]) -> None:
    day.reject(run, {"v": 1}, {"v": 1}, keys=keys)
    assert records(run) == [{"v": 1}, {"v": 1}]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(), max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([float("nan"), float("inf"), float("-inf"), Decimal("1.10"), "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_a_record_comes_back_as_it_was_read(run: PastRun, record: dict[str, Any]) -> None:
    run.rejects_path.unlink(missing_ok=True)
    read = decode(_python_json(record))
    PastDay(run.state_dir).reject(run, read, keys=())
    assert repr(records(run)) == repr([read])


def _python_json(record: dict[str, Any]) -> bytes:
    """As a tap in Python writes it."""
    import simplejson  # noqa: PLC0415 - for this function alone

    return simplejson.dumps(record, use_decimal=True, allow_nan=True).encode()


def test_rejects_without_their_schema_are_an_error(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1})
    run.schemas_path.unlink()
    with pytest.raises(StorageError, match="SCHEMA message of stream people is missing"):
        messages(run)


def test_the_schema_is_kept_once_and_for_its_owner_only(day: PastDay, run: PastRun) -> None:
    day.reject(run, {"id": 1}, {"id": 2})
    (line,) = run.schemas_path.read_text().splitlines()
    assert json.loads(line)["key_properties"] == ["id"]
    assert run.schemas_path.stat().st_mode & 0o777 == 0o600
