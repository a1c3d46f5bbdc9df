"""What a database error means. The database's own message may hold data, so it is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def hint(error: sa.exc.SQLAlchemyError) -> str:
    """The cause, in parentheses after a space; empty for an unknown one."""
    text = str(getattr(error, "orig", "")).casefold()
    hints = {
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
    return next((f" ({meaning})" for sign, meaning in hints.items() if sign in text), "")
