"""Changes and retirements on their way: beside the loads, in the order of the records, within their own room."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.delivery import delivery as room_of_delivery
from target_engagevoice.delivery.buffer import CHANGES_AT_ONCE, Batch, BufferLimits
from target_engagevoice.delivery.stream_versions import Versions
from target_engagevoice.errors import Interrupted
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import Retire
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, lead
from tests.support.fake_delivery import Room, open_room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from target_engagevoice.delivery.buffer import BufferedLead

UPSERT = Policy(change=True, move=Retire.SUPPRESS)


def known(room: Room, numbers: Sequence[int], campaign: str = "1001") -> None:
    """Leads that the campaign has in an earlier version."""
    room.ledger.settle("people", campaign, {f"L{number}": "earlier" for number in numbers}, [], 1.0)


def changed(room: Room) -> list[list[str]]:
    """`externId`s by batch of changes."""
    with room.lock:
        return [[each.lead.extern_id for each in batch.leads] for batch in room.changes]


def retired(room: Room) -> list[list[str]]:
    """`externId`s by batch of retirements."""
    with room.lock:
        return [[each.lead.extern_id for each in batch.leads] for batch in room.retirements]


def test_loads_go_on_while_no_change_comes_back() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, range(200))
        room.changing.clear()
        room.add_all([lead(number) for number in range(200)])
        room.add_all([lead(number) for number in range(500, 512)])
        room.wait_for(lambda: room.outcome() == {"loaded": 12})
        assert len(changed(room)) == room_of_delivery.CHANGES_IN_FLIGHT
        room.changing.set()
        room.delivery.finish()
        assert room.outcome() == {"loaded": 12, "updated": 200}


def test_loads_go_on_while_no_retirement_comes_back() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, range(30))
        room.changing.clear()
        for number in range(30):
            room.flag(number)
        room.add_all([lead(number) for number in range(500, 512)])
        room.wait_for(lambda: room.outcome() == {"loaded": 12})
        room.changing.set()
        room.delivery.finish()
        assert room.outcome() == {"loaded": 12, "deleted": 30}


def test_a_retirement_that_grows_old_goes_while_no_load_comes_back() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, [0])
        room.gate.clear()
        room.flag(0)
        reader = threading.Thread(target=room.add_all, args=([lead(number) for number in range(500, 512)],))
        reader.start()
        room.wait_for(lambda: len(room.batches) == 2 and room.run.read == 13)
        room.clock.advance(61)
        room.wait_for(lambda: retired(room) == [["L0"]])
        room.gate.set()
        reader.join()
        room.delivery.finish()
        assert room.outcome() == {"loaded": 12, "deleted": 1}


def test_changes_go_on_while_no_load_comes_back() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, range(3))
        room.gate.clear()
        room.add_all([lead(number) for number in (500, 501, 502, 0, 1, 2)])
        room.wait_for(lambda: room.outcome() == {"updated": 3})


def test_a_batch_of_changes_is_small_enough_for_several_threads() -> None:
    with open_room(policy=UPSERT, limits=BufferLimits(100, 1_000_000, 60.0)) as room:
        known(room, range(60))
        room.add_all([lead(number) for number in range(60)])
        room.delivery.finish()
        assert [len(batch) for batch in sorted(changed(room), key=len)] == [10, CHANGES_AT_ONCE, CHANGES_AT_ONCE]


def test_the_reader_waits_while_changes_take_up_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_of_delivery, "MOST_ROOM_OF_CHANGES", 5000)
    with open_room(policy=UPSERT) as room:
        known(room, range(40))
        room.changing.clear()
        reader = threading.Thread(target=room.add_all, args=([lead(number) for number in range(40)],))
        reader.start()
        room.wait_for(lambda: room.run.read == 6)
        time.sleep(0.3)
        assert (reader.is_alive(), room.run.read) == (True, 6)
        room.changing.set()
        reader.join()
        room.delivery.finish()
        assert room.outcome() == {"updated": 40}


def test_a_stop_frees_a_reader_that_waits_for_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_of_delivery, "MOST_ROOM_OF_CHANGES", 2000)
    with open_room(policy=UPSERT) as room:
        known(room, range(9))
        room.changing.clear()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                room.add_all([lead(number) for number in range(9)])
            except Interrupted as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        room.wait_for(lambda: room.run.read == 3)
        room.halt.set(Interrupted("stopped"))
        reader.join(2)
        room.changing.set()
        assert [str(error) for error in failures] == ["stopped"]


def test_a_lead_that_is_gone_is_loaded_anew() -> None:
    def gone(batch: Batch) -> Sequence[BufferedLead]:
        return [each for each in batch.leads if each.lead.extern_id == "L1"]

    with open_room(policy=UPSERT, change=gone) as room:
        known(room, range(3))
        room.add_all([lead(number) for number in range(3)])
        room.delivery.finish()
        assert (room.sent(), room.outcome()) == ([["L1"]], {"updated": 2, "loaded": 1})


def test_a_second_version_waits_for_the_change_before_it() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, [0])
        room.changing.clear()
        for name in ("Ann", "Bea"):
            room.add_all([lead(0, firstName=name), lead(500, firstName=name), lead(501, firstName=name)])
        room.wait_for(lambda: len(changed(room)) == 1)
        room.changing.set()
        room.delivery.finish()
        assert [each.lead.fields["firstName"] for batch in room.changes for each in batch.leads][:1] == ["Ann"]
        assert room.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0, firstName="Bea").digest


# Leads that move, and leads that are retired


def test_a_lead_that_moves_leaves_before_it_is_loaded() -> None:
    with open_room(policy=UPSERT) as room:
        known(room, [0])
        room.changing.clear()
        for number in (0, 500, 501):
            room.add(lead(number), WINBACK)
        room.wait_for(lambda: retired(room) == [["L0"]])
        assert all("L0" not in batch for batch in room.sent())
        room.changing.set()
        room.delivery.finish()
        assert sorted(key for batch in room.sent() for key in batch) == ["L0", "L500", "L501"]
        held = {each.campaign_id: each.retired for each in room.ledger.leads.whereabouts("people", ["L0"])}
        assert held == {"1001": "suppress", "1002": None}


def test_where_on_delete_is_ignore_a_lead_stays_where_it_was() -> None:
    with open_room(policy=Policy(change=True)) as room:
        known(room, [0])
        room.add(lead(0), WINBACK)
        room.delivery.finish()
        assert (retired(room), room.sent()) == ([], [["L0"]])


def test_a_retirement_waits_for_the_version_before_it() -> None:
    with open_room() as room:
        room.gate.clear()
        room.add_all([lead(number) for number in range(3)])
        room.flag(0)
        room.wait_for(lambda: len(room.sent()) == 1)
        time.sleep(0.05)
        assert retired(room) == []
        room.gate.set()
        room.delivery.finish()
        assert (retired(room), room.ledger.accepted("1001", ["L0"])["L0"].retired) == ([["L0"]], "suppress")


def test_a_version_waits_for_the_retirement_before_it() -> None:
    with open_room() as room:
        known(room, [0])
        room.changing.clear()
        room.flag(0)
        room.add_all([lead(number) for number in range(4)])
        room.wait_for(lambda: len(room.sent()) == 1)
        assert room.sent() == [["L1", "L2", "L3"]]
        room.changing.set()
        room.delivery.finish()
        assert room.ledger.accepted("1001", ["L0"])["L0"].retired is None


def test_records_without_a_key_are_retired_one_after_another_and_all() -> None:
    with open_room() as room:
        for _ in range(8):
            room.flag(-1)
        room.delivery.finish()
        assert room.outcome() == {"deleted": 8}


def test_a_lead_that_moves_to_and_fro_is_dialled_where_it_was_last() -> None:
    with open_room(policy=UPSERT) as room:
        for campaign in (RENEWALS, WINBACK, RENEWALS, WINBACK, RENEWALS):
            room.add(lead(0), campaign)
        room.delivery.finish()
        held = {each.campaign_id: each.is_dialled for each in room.ledger.leads.whereabouts("people", ["L0"])}
        assert held == {"1001": True, "1002": False}


steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("flag"), st.integers(0, 3)),
    st.tuples(st.just("age")),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=30), st.booleans())
def test_the_last_record_has_the_last_word_and_no_room_is_lost(history: list[Any], gone: bool) -> None:
    def give_back(batch: Batch) -> Sequence[BufferedLead]:
        return batch.leads[:1] if gone else ()

    last: dict[str, str | None] = defaultdict()
    with open_room(policy=UPSERT, change=give_back, threads=1) as room:
        read = 0
        for step in history:
            if step[0] == "add":
                _, number, version, other = step
                campaign = WINBACK if other else RENEWALS
                room.add(lead(number, firstName=f"v{version}"), campaign)
                last[f"L{number}"] = campaign.campaign_id
                read += 1
            elif step[0] == "flag":
                room.flag(step[1])
                last[f"L{step[1]}"] = None
                read += 1
            else:
                room.clock.advance(61)
        room.delivery.finish()
        assert (room.delivery._room, room.delivery._room_of_changes) == (0, 0)
        assert sum(room.outcome().values()) == read
        for extern_id, campaign_id in last.items():
            held = room.ledger.leads.whereabouts("people", [extern_id])
            assert [each.campaign_id for each in held if each.is_dialled] == ([campaign_id] if campaign_id else [])


# Read again


def after_a_kill(tmp_path: Path, **options: Any) -> Room:
    """A killed run had loaded L0 twice, in two versions; the next one is open."""
    with open_room(policy=UPSERT, ledger=Ledger.open(None, tmp_path, ACCOUNT, "killed")) as room:
        room.add_all([lead(0, firstName="Ann"), lead(0, firstName="Bea")])
        room.delivery.finish()
    return Room(policy=UPSERT, ledger=Ledger.open(None, tmp_path, ACCOUNT, "next"), **options)


class Listed:
    """What versions hold, for a test."""

    def __init__(self) -> None:
        self.leads: list[str] = []

    def see(self, _stream: str, _version: int, leads: Sequence[str]) -> None:
        """See `versions.Seen`."""
        self.leads += leads

    def activated(self, _stream: str) -> None:
        """See `versions.Seen`."""


def test_catching_up_leaves_only_what_may_be_read_again_and_notes_what_waits_for_it(tmp_path: Path) -> None:
    seen: Any = Listed()
    room = after_a_kill(tmp_path, versions=Versions(seen, lambda _stream, _leads: 0, 25))
    try:
        room.add_all([lead(0, firstName="Ann"), lead(0, firstName="Cleo"), lead(1)])
        room.delivery.catch_up()
        assert (room.outcome(), sorted(seen.leads)) == ({"loaded": 1}, ["L0", "L0", "L1"])
        room.delivery.finish()
        assert room.outcome() == {"loaded": 1, "updated": 2}
    finally:
        room.delivery.close(10)
        room.ledger.close()


def test_what_is_read_again_after_the_source_went_back_is_applied(tmp_path: Path) -> None:
    room = after_a_kill(tmp_path)
    try:
        room.add(lead(0, firstName="Ann"))
        room.delivery.finish()
        room.add(lead(0, firstName="Bea"))
        room.delivery.finish()
        assert room.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0, firstName="Bea").digest
        assert room.outcome() == {"updated": 2}
    finally:
        room.delivery.close(10)
        room.ledger.close()
