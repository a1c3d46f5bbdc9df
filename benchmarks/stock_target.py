"""The target that the SDK's documentation leads to: a `BatchSink` that posts 500 leads at a time with `requests`.

Run by its path: `python benchmarks/stock_target.py --config config.json < stream`. It has no outcomes, no ledger, no
checks of a phone; what it has is what the SDK brings by itself, its validation of each record among them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import requests
from singer_sdk import BatchSink, Target
from singer_sdk import typing as th

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.lead_mapping import plain_lead

BATCH_ROWS = 500


class StockSink(BatchSink):
    """Posts each batch and believes the server."""

    @property
    def max_size(self) -> int:
        """Rows of a batch."""
        return BATCH_ROWS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._session = requests.Session()

    def process_batch(self, context: dict[str, Any]) -> None:
        """Map and post."""
        body = {
            "description": self.stream_name,
            "dialPriority": "NORMAL",
            "duplicateHandling": "REMOVE_FROM_LIST",
            "timeZoneOption": "NPA_NXX",
            "listState": "ACTIVE",
            "dncTags": [],
            "uploadLeads": [plain_lead(record) for record in context["records"]],
        }
        headers = {"X-Auth-Token": "token"}
        self._session.post(self.config["url"], json=body, headers=headers, timeout=60).raise_for_status()


class StockTarget(Target):
    """A target with nothing but what the SDK brings."""

    name = "target-stock"
    default_sink_class = StockSink
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
    ).to_dict()


if __name__ == "__main__":
    StockTarget.cli()
