"""The folder of a run's files: for its owner only, or a message that says what to set."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import StorageError
from target_engagevoice.private_files import make_private, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    """Let the umask restrict nothing, so that the code must."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    make_private(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o700


def test_folders_above_it_are_for_their_owner_only_too(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b" / "state")
    assert {mode(tmp_path / "a"), mode(tmp_path / "a" / "b")} == {0o700}


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o750)
    make_private(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o750


def test_a_file_in_its_place_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StorageError, match=r"state_dir: .*/state cannot be made: .*Set state_dir to a folder"):
        make_private(tmp_path / "state")


def test_a_file_above_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made: Not a directory"):
        make_private(tmp_path / "file" / "state")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(StorageError, match=r"cannot be written to\. Set state_dir to a folder that can"):
        make_private(tmp_path)


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    with open_private(tmp_path / "file") as file:
        file.write("x")
    assert mode(tmp_path / "file") == 0o600


def test_a_missing_folder_of_a_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    open_private(tmp_path / "state" / "rejects" / "file").close()
    assert {mode(tmp_path / "state"), mode(tmp_path / "state" / "rejects")} == {0o700}


def test_a_file_is_added_to(tmp_path: Path) -> None:
    for text in "ab":
        with open_private(tmp_path / "file") as file:
            file.write(text)
    assert (tmp_path / "file").read_text("utf-8") == "ab"


def test_a_file_may_be_written_anew(tmp_path: Path) -> None:
    for text in "ab":
        with open_private(tmp_path / "file", "w") as file:
            file.write(text)
    assert (tmp_path / "file").read_text("utf-8") == "b"


def test_text_is_utf8_whatever_the_machine_is_set_to(tmp_path: Path) -> None:
    with open_private(tmp_path / "file") as file:
        file.write("Zoë")
    assert (tmp_path / "file").read_bytes() == b"Zo\xc3\xab"
