"""Claims: which leads a run has in flight, and what the next run must know of them if this one dies.

The invariant. Before a request about a lead is sent, the ledger has a claim on disk: which run sends the request, and
with which digest. A lead of a campaign has at most one claim. The claim ends in the transaction that records what came
of the request; the same transaction adds a replay candidate where the lead was accepted or refused. So at every moment,
a kill included, a lead whose request has an unknown result is in exactly one claim, and a lead whose result is known is
in none.

An example. Run A reads L1 and L2, claims both and sends them. The server stores L1. Then A is killed, before it reads
the response. The ledger has two claims of A and nothing accepted. Run B opens the ledger and finds that A is dead. It
looks both leads up on the server: L1 is there, L2 is not. B settles A's claims: L1 is accepted and becomes a replay
candidate, L2 is only released. The tap sends both again, because no STATE passed them. B finds L1 among the candidates,
skips it, and claims and loads L2.

Two formats hold claims and replay candidates:

- One row a lead (`ClaimsByLead`; tables `IN_FLIGHT` and `REPLAY_CANDIDATES`), for a ledger that runs share. The primary
  key of `IN_FLIGHT` decides which of two runs gets a lead.
- One row a batch (`batches.ClaimsByBatch`; table `BATCHES`), for the only run of a SQLite ledger. It writes two
  statements a batch where the other format writes four statements with a row for each lead, which cost twice as much.

Only the living run uses the second format. When it is dead, the next run converts its rows to the first one as it opens
the ledger (`batches.expand_dead_runs`). Everything that reads claims and replay candidates of dead runs reads the first
format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from target_engagevoice.ledger.statements import as_json, statements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import sqlalchemy as sa

    Given = Mapping[str, Any]
    """`account_id`, `campaign_id`, `stream` and `run`, as parameters of a statement."""


class Claims(Protocol):
    """Claims and replay candidates of the run that writes. Called in a transaction, by one thread at a time."""

    def take_over(self, connection: sa.Connection, dead: Sequence[str], *, read_only: bool) -> None:
        """Make the claims and candidates of dead runs readable. Called once, before any other method.

        Args:
            connection: In a transaction.
            dead: The dead runs.
            read_only: Leave the ledger as it is.
        """

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """Claim leads, with the `since` and `work` of `given`; returns those that this run now has."""

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        positioned: Collection[str],
        refused: bool,
    ) -> None:
        """End claims of this run. The accepted leads become replay candidates.

        Args:
            connection: In a transaction.
            given: Where the leads are, and the run that claimed them.
            accepted: `externId` to digest.
            cleared: `externId` of those not accepted.
            positioned: Those of the accepted that are candidates of a dead run already.
            refused: Whether the cleared leads become replay candidates as well, as refused.
        """

    def settle_for_dead_run(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        positioned: Collection[str],
        refused: bool,
    ) -> None:
        """End claims of a dead run, like `settle`."""


class ClaimsByLead:
    """One row a lead, which other runs see and respect."""

    def __init__(self, dialect: str) -> None:
        self._statements = statements(dialect)

    def take_over(self, connection: sa.Connection, dead: Sequence[str], *, read_only: bool) -> None:
        """See `Claims`. There is nothing to convert."""

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """See `Claims`."""
        connection.execute(self._statements.claim, {**given, "leads": as_json(digests)})
        return self.held(connection, given, digests)

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        positioned: Collection[str],
        refused: bool,
    ) -> None:
        """See `Claims`."""
        candidates = {extern_id: digest for extern_id, digest in accepted.items() if extern_id not in positioned}
        if candidates:
            connection.execute(self._statements.add_candidates, {**given, "leads": as_json(candidates)})
        if refused and cleared:
            connection.execute(self._statements.add_refused_candidates, {**given, "ids": as_json(list(cleared))})
        connection.execute(self._statements.release, {**given, "ids": as_json([*accepted, *cleared])})

    settle_for_dead_run = settle

    def held(self, connection: sa.Connection, given: Given, extern_ids: Iterable[str]) -> set[str]:
        """Which of these leads a run has claimed. No other run can settle them before the transaction ends."""
        rows = connection.execute(self._statements.held, {**given, "ids": as_json(list(extern_ids))})
        return set(rows.scalars("extern_id"))
