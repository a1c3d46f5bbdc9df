"""How a run ends: the first error counts, later ones are logged."""

from __future__ import annotations

import pytest

from target_engagevoice.errors import EngageVoiceError, LedgerError, RejectedTooMany, ServerError
from target_engagevoice.run.ending import Ending


def failing(error: Exception) -> None:
    raise error


def test_a_run_without_an_error_is_ok() -> None:
    assert (Ending().error, Ending().status) == (None, "ok")


def test_the_first_error_counts_and_the_next_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ending = Ending()
    ending.attempt(lambda: failing(ServerError("first")))
    ending.attempt(lambda: failing(LedgerError("second")))
    assert isinstance(ending.error, ServerError)
    assert caplog.messages == ["second"]


def test_an_error_that_is_no_error_of_this_package_is_not_caught() -> None:
    with pytest.raises(KeyError):
        Ending().attempt(lambda: failing(KeyError("x")))


@pytest.mark.parametrize(
    ("error", "status", "in_full"),
    [(None, "ok", True), (RejectedTooMany("many"), "rejected", True), (ServerError("gone"), "failed", False)],
)
def test_a_complete_run_is_in_full_unless_it_failed(error: EngageVoiceError | None, status: str, in_full: bool) -> None:
    ending = Ending()
    if error is not None:
        ending.fail(error)
    assert (ending.status, ending.in_full) == (status, False)
    ending.complete = True
    assert (ending.status, ending.in_full) == (status, in_full)
