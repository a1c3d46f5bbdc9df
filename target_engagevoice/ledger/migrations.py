"""Creates the ledger's tables, and brings those of an earlier version up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_engagevoice.errors import LedgerError
from target_engagevoice.ledger.tables import (
    ACCEPTED,
    IN_FLIGHT,
    METADATA,
    REPLAY_CANDIDATES,
    SCHEMA_VERSION,
    VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDED: Mapping[int, tuple[sa.Column[Any], ...]] = {
    2: (REPLAY_CANDIDATES.c.taken,),
    3: (*(ACCEPTED.c[name] for name in ("stream", "retired", "lead_id", "was", "content")), IN_FLIGHT.c.work),
}
"""Schema version to the columns that it added to tables of earlier versions."""


def check_version(connection: sa.Connection, *, make: bool) -> bool:
    """Create missing tables, bring those of an earlier version up to date, and refuse those of a newer one.

    Args:
        connection: In a transaction.
        make: Whether tables may be created and changed.

    Returns:
        Whether there are tables now.

    Raises:
        LedgerError: A newer version of this program wrote it; or an earlier one, and tables may not be changed.
    """
    if make and connection.dialect.name == "postgresql":
        # Two runs may create the tables at the same time.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(4711199900)"))
    exists = sa.inspect(connection).has_table(VERSION.name)
    version = connection.execute(sa.select(sa.func.max(VERSION.c.version))).scalar() if exists else None
    if version is not None and version > SCHEMA_VERSION:
        msg = (
            f"the ledger is of schema version {version}, this program knows {SCHEMA_VERSION}: a newer version wrote "
            "it. Upgrade target-engagevoice."
        )
        raise LedgerError(msg)
    if version is not None and version < SCHEMA_VERSION:
        if not make:
            msg = "an earlier version made the ledger. Run once without dry_run to bring it up to date."
            raise LedgerError(msg)
        METADATA.create_all(connection)
        for column in (column for since, columns in _ADDED.items() if since > version for column in columns):
            added = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {column.table.name} ADD COLUMN {added}"))
        connection.execute(sa.update(VERSION).values(version=SCHEMA_VERSION))
    if version is None and make:
        METADATA.create_all(connection)
        connection.execute(sa.insert(VERSION).values(version=SCHEMA_VERSION))
    return version is not None or make
