"""The SDK's own suite for targets, with the two tests that its default leaves out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from singer_sdk.testing import SuiteConfig, get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite
from singer_sdk.testing.target_tests import TargetMultipleStateMessages, TargetRecordMissingRequiredProperty

from target_engagevoice.target import TargetEngageVoice

_FOLDER = Path(tempfile.mkdtemp(prefix="target-engagevoice-sdk-suite-"))

CONFIG: dict[str, Any] = {
    "base_url": "sandbox",
    "api_token": "sandbox-token",
    "campaign": "1001",
    "state_dir": str(_FOLDER / "state"),
    # Three leads a request, one request at a time: the suite's expected STATE messages follow from that.
    "batch_size_rows": 3,
    "max_in_flight": 1,
    "duplicate_handling": "RETAIN_ALL",
    "max_rejected_percent": 100,
    "mappings": {
        "*": {
            "fields": {
                "externId": ["id", "Id", "email", "clientName", {"value": "nobody"}],
                "leadPhone": {"value": "6505550100"},
            },
        },
        # Two streams with the same ids: in one campaign the second would have to wait for the first.
        "test_multiple_state_messages_b": {
            "campaign": "1002",
            "fields": {"externId": "id", "leadPhone": {"value": "6505550100"}},
        },
    },
}


class MultipleStateMessages(TargetMultipleStateMessages):
    """The SDK's test without its mistake: it compares parsed messages with lines of text.

    Its expectation is kept to the letter; the runner's `stdout` is what holds lines.
    """

    def test(self) -> None:
        self.runner.sync_all()
        assert (self.runner.stdout or "").splitlines() == [
            '{"test_multiple_state_messages_a": 1, "test_multiple_state_messages_b": 0}',
            '{"test_multiple_state_messages_a": 3, "test_multiple_state_messages_b": 2}',
            '{"test_multiple_state_messages_a": 5, "test_multiple_state_messages_b": 6}',
        ]


LEFT_OUT: SingerTestSuite[Any] = SingerTestSuite(
    kind="target",
    tests=[MultipleStateMessages, TargetRecordMissingRequiredProperty],
)

TestTargetEngageVoice = get_target_test_class(
    TargetEngageVoice,
    config=CONFIG,
    custom_suites=[LEFT_OUT],
    suite_config=SuiteConfig(),
)
