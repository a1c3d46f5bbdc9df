"""The folder of a run's files: for its owner only, `0700` and `0600` (contract, section 3)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO, cast

from target_engagevoice.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


KEPT = ("runs", "rejects", "schemas")
"""Folders in it that a run must be able to write to; without the others it continues."""


def make_state_dir(folder: Path) -> None:
    """Make the folder where missing, and check that a run can write to it, before anything is read or sent.

    Raises:
        StorageError: It cannot, or not to what an earlier run made in it.
    """
    make_private(folder)
    for inner in (folder / name for name in KEPT):
        if inner.exists():
            make_private(inner)


def make_private(folder: Path) -> None:
    """Make the folder, and those above it, where missing.

    Raises:
        StorageError: It cannot be made or written to.
    """
    try:
        _make(folder)
    except OSError as error:
        msg = f"state_dir: {folder} cannot be made: {error.strerror}. Set state_dir to a folder that can be written."
        raise StorageError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"state_dir: {folder} cannot be written to. Set state_dir to a folder that can."
        raise StorageError(msg)


def open_private(path: Path, mode: str = "a") -> TextIO:
    """Open a text file for its owner only, making it and its folder where missing.

    Raises:
        OSError: It cannot be opened.
    """
    _make(path.parent)
    file = open(path, mode, encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115 - Path.open takes no opener; the caller closes
    return cast("TextIO", file)


def _make(folder: Path) -> None:
    """Make the folder; those above it, too, for the owner only, which `parents=True` would not do."""
    for above in reversed(folder.parents):
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
