"""What a database error means, without the data that its own message may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


def hint(error: sa.exc.SQLAlchemyError) -> str:
    """What is the matter, in our words: the database's may hold data."""
    text = str(getattr(error, "orig", "")).casefold()
    hints = {
        "readonly": "it is read-only",
        "locked": "it is locked by another program",
        "full": "the disk is full",
        "disk i/o": "the disk does not take more",
        "unable to open": "it can not be opened",
        "not a database": "the file is not a database",
        "malformed": "the file is damaged",
        "refused": "the database server does not answer",
        "authentication": "the database server refuses the user",
    }
    return next((f" ({words})" for sign, words in hints.items() if sign in text), "")
