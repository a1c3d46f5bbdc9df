"""The errors: one tree, drawn in the docstring of its module, and the text of a mistake in the program."""

from __future__ import annotations

import re

import pytest

from target_engagevoice import errors
from target_engagevoice.errors import EngageVoiceError, FatalError, RejectedTooMany, UsageError, from_mistake

DRAWN = re.compile(r"^ {4}([│├└─ ]*)(\w+)(?: {2,}|$)", re.MULTILINE)


def drawn() -> dict[str, str | None]:
    """Each class in the docstring's drawing, with the class above it."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for branch, name in DRAWN.findall(errors.__doc__ or ""):
        depth = len(branch) // 4
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else None
    return parents


def defined() -> dict[str, str | None]:
    """Each class of the module, with its base class."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, EngageVoiceError)]
    return {each.__name__: None if each is EngageVoiceError else each.__bases__[0].__name__ for each in classes}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert drawn() == defined()


def test_every_error_is_exported() -> None:
    assert set(errors.__all__) == {*defined(), "from_mistake"}


@pytest.mark.parametrize(
    ("error", "exit_code"), [(EngageVoiceError, 1), (FatalError, 1), (UsageError, 2), (RejectedTooMany, 3)]
)
def test_the_exit_codes_are_those_of_the_contract(error: type[EngageVoiceError], exit_code: int) -> None:
    assert error.exit_code == exit_code
    assert {each.exit_code for each in FatalError.__subclasses__()} == {1}


def test_every_error_has_its_own_code() -> None:
    codes = [getattr(errors, name).code for name in defined()]
    assert len(set(codes)) == len(codes)


def test_a_mistake_shows_its_kind_and_place_and_no_value() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError("ann@example.com")
    error = from_mistake(caught.value, "engagevoice")
    assert re.fullmatch(
        r"a mistake in engagevoice itself: KeyError at test_errors\.py:\d+\. "
        r"Report it with this line; LOGLEVEL=DEBUG logs its traceback\.",
        str(error),
    )
    assert error.__cause__ is caught.value


def test_a_mistake_that_was_never_raised_has_no_place() -> None:
    assert "ValueError at ?." in str(from_mistake(ValueError(), "engagevoice"))
