"""Errors of a database, without the data that the database's own message may hold."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CAUSES: Mapping[str, str] = {
    "readonly": "it is read-only",
    "locked": "it is locked by another program",
    "full": "the disk is full",
    "disk i/o": "the disk reports an error",
    "unable to open": "it cannot be opened",
    "not a database": "the file is not a database",
    "malformed": "the file is damaged",
    "refused": "the database server does not answer",
    "authentication": "the database server refuses the user",
}
"""Part of the database's message to what it means."""


@contextmanager
def database_errors_as(error: Callable[[str], Exception], database: str, url: sa.URL, action: str) -> Iterator[None]:
    """Turn the database's errors into one of this program's, without data and without the password.

    Args:
        error: Makes the error from its message.
        database: What the database is to the user, such as `ledger`.
        url: Its URL.
        action: What cannot be done with it, such as `read`.

    Raises:
        Exception: What `error` makes; the database refused or did not answer.
    """
    try:
        yield
    except sa.exc.SQLAlchemyError as caught:
        shown = url.render_as_string(hide_password=True)
        kind = type(caught.orig).__name__ if isinstance(caught, sa.exc.DBAPIError) else type(caught).__name__
        raise error(f"{database} {shown} cannot be {action}: {kind}{_hint(caught)}.") from None


def _hint(error: sa.exc.SQLAlchemyError) -> str:
    """The cause, in parentheses after a space; empty for an unknown one."""
    text = str(getattr(error, "orig", "")).casefold()
    return next((f" ({cause})" for part, cause in _CAUSES.items() if part in text), "")
