"""The ledger's tables. `migrations` makes them and brings those of earlier versions up to date."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 4

LOAD, CHANGE, RETIRE = "load", "change", "retire"
"""What a claimed lead is waiting for, in the column `work`."""

FATE_UNKNOWN, FATE_ACCEPTED, FATE_REFUSED = 0, 1, 2
"""What became of a batch, in the column `fate`."""

EVERYWHERE = ""
"""Stands in `campaign_id` for all campaigns: a lead was taken out of the dialer of each of them."""

METADATA = sa.MetaData()

VERSION = sa.Table("engagevoice_schema", METADATA, sa.Column("version", sa.Integer, primary_key=True))

RUNS = sa.Table(
    "engagevoice_runs",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("run", sa.String(64), primary_key=True),
)
"""Runs that have not finished: alive or dead."""

ACCEPTED = sa.Table(
    "engagevoice_accepted",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("accepted_at", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    # Since version 3:
    sa.Column("stream", sa.Text),  # NULL in rows of earlier versions
    sa.Column("retired", sa.String(16)),
    sa.Column("lead_id", sa.String(64)),
    sa.Column("was", sa.String(64)),
    sa.Column("content", sa.Text),
)
"""What each campaign last accepted under each `externId`.

`retired` is the action that took the lead out of the dialer, NULL for none, followed by a `?` where it is uncertain
whether a dead run did it. `lead_id` is the server's id of the lead, once it was looked up. `was` is the lead's state on
the server before it was retired. `content` holds the digests of its fields, where a change will need them. An empty
`digest` means that the content is unknown.
"""

IN_FLIGHT = sa.Table(
    "engagevoice_in_flight",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("work", sa.String(16), nullable=False, server_default=LOAD),  # since version 3
    sqlite_with_rowid=False,  # rows come and go with each lead: one tree to update, not a table and an index
)
"""Claims, one row a lead (see `in_flight`). `work` is `LOAD`, `CHANGE` or `RETIRE`. In SQLite this table holds only the
claims of dead runs."""

REPLAY_CANDIDATES = sa.Table(
    "engagevoice_left",
    METADATA,
    sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("account_id", sa.String(64), nullable=False),
    sa.Column("campaign_id", sa.String(64), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("extern_id", sa.String(200), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("taken", sa.Boolean, nullable=False, server_default=sa.true()),  # since version 2
)
"""Versions of leads that unfinished runs got accepted (`taken`) or refused. If such a run dies, the tap sends them
again. `place` grows in the order in which the tap first sent them (see `LedgerAccount.keep_positions`). In SQLite this
table holds only the candidates of dead runs."""

BATCHES = sa.Table(
    "engagevoice_batches",
    METADATA,
    sa.Column("batch", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("fate", sa.SmallInteger, nullable=False),
    sa.Column("account_id", sa.String(64), nullable=False),
    sa.Column("campaign_id", sa.String(64), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("work", sa.String(16), nullable=False),
    sa.Column("leads", sa.Text, nullable=False),
)
"""Claims and replay candidates of the run that holds a SQLite ledger, one row a batch (see `in_flight`). `leads` is a
JSON object of `externId` to digest, `fate` is `FATE_UNKNOWN`, `FATE_ACCEPTED` or `FATE_REFUSED`. Since version 3."""

LISTED = sa.Table(
    "engagevoice_listed",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("phone", sa.String(64), primary_key=True),
)
"""Phones that this target put on the account's do-not-call list, as SHA-256 digests. Since version 3."""

LISTING = sa.Table(
    "engagevoice_listing",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("phone", sa.String(64), primary_key=True),
    sa.Column("country", sa.String(8), nullable=False),
)
"""Phones that this target was about to put on the list, and whose listing is uncertain: written before the request,
deleted when its result is known. `country` is what the request needs beside the number. Since version 4."""

SEEN = sa.Table(
    "engagevoice_seen",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sqlite_with_rowid=False,
)
"""Leads of each version of a stream, until the version is activated (`load_method: overwrite`). Since version 3."""

REPLAY_INDEX = sa.Index(
    "engagevoice_left_lead",
    REPLAY_CANDIDATES.c.account_id,
    REPLAY_CANDIDATES.c.campaign_id,
    REPLAY_CANDIDATES.c.extern_id,
)
"""SQLite has this index only while a dead run has candidates, see `batches.expand_dead_runs`."""

REFUSED = sa.Table(
    "engagevoice_refused",
    METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
)
"""What each campaign refused under each `externId` while it took other leads: so the fault is the lead's own."""
