"""The files that earlier runs left in `state_dir`, found by the names of the runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import StorageError, UsageError
from target_engagevoice.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NEWEST = "latest"
"""Stands for the newest run; so does no name."""

_FILES = (("runs", ".json"), ("rejects", ".jsonl"), ("requests", ".jsonl"))
"""Folders and endings of the files that a run may have left; a killed run has no record."""


@dataclass(frozen=True)
class PastRun:
    """A run that has ended, was killed, or is still running.

    Attributes:
        name: Begins with the time of its start, so that names sort by it.
    """

    state_dir: Path
    name: str

    @property
    def record_path(self) -> Path:
        """Its record (contract, section 5); exists only after the end of a run that was not killed."""
        return self.state_dir / "runs" / f"{self.name}.json"

    @property
    def rejects_path(self) -> Path:
        """Its rejects (contract, section 5); exists only if there are any."""
        return self.state_dir / "rejects" / f"{self.name}.jsonl"

    @property
    def schemas_path(self) -> Path:
        """The SCHEMA messages of the streams that have rejects."""
        return self.state_dir / "schemas" / f"{self.name}.jsonl"

    @property
    def requests_path(self) -> Path:
        """Its journal of requests."""
        return self.state_dir / "requests" / f"{self.name}.jsonl"

    @property
    def report_path(self) -> Path:
        """Where its report is written."""
        return self.state_dir / "reports" / f"{self.name}.html"

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """Its record, as written.

        Raises:
            StorageError: There is none, or it cannot be read.
        """
        try:
            content = json.loads(self.record_path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            msg = (
                f"run {self.name} has no record: it is still running, or it was killed. Its requests so far are in "
                f"{self.requests_path}, its rejects, if any, in {self.rejects_path}."
            )
            raise StorageError(msg) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            msg = f"{self.record_path}: the run record cannot be read: {reason}."
            raise StorageError(msg) from None
        if not isinstance(content, dict) or "totals" not in content:
            msg = f"{self.record_path}: this is not a run record."
            raise StorageError(msg)
        return content


def past_runs(state_dir: Path) -> list[PastRun]:
    """All runs that left a file, the newest first."""
    names = {
        path.name.removesuffix(ending) for folder, ending in _FILES for path in (state_dir / folder).glob(f"*{ending}")
    }
    return [PastRun(state_dir, name) for name in sorted(names, reverse=True)]


def find_run(state_dir: Path, name: str | None) -> PastRun:
    """The run that a user names.

    Args:
        state_dir: Where runs leave their files.
        name: Its name, or a beginning of it that no other run shares; None or `latest` for the newest.

    Raises:
        UsageError: There is no such run, or there are several.
    """
    runs = past_runs(state_dir)
    if not runs:
        msg = (
            f"there are no files of any run in {state_dir}. Give the configuration of your runs with --config; without "
            "it, state_dir is looked for in the current folder."
        )
        raise UsageError(msg)
    if name in (None, NEWEST):
        return runs[0]
    meant = [run for run in runs if run.name == name] or [run for run in runs if run.name.startswith(str(name))]
    if len(meant) == 1:
        return meant[0]
    newest = f"The newest is {runs[0].name}; `engagevoice runs` lists them."
    if meant:
        msg = f"{len(meant)} runs begin with {name!r}: {', '.join(run.name for run in meant[:3])} … {newest}"
        raise UsageError(msg)
    near = nearest(str(name), (run.name for run in runs), 1)
    guess = f" Did you mean {near[0]}?" if near and near[0] != runs[0].name else ""
    msg = f"there is no run {name!r} in {state_dir}.{guess} {newest}"
    raise UsageError(msg)
