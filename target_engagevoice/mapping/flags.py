"""The records that must not be loaded: a field marks them as deleted, or forbids the call (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.mapping import presets
from target_engagevoice.mapping.compiled_plan import compile_flags
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.values import is_flagged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.plan import Record


@dataclass(frozen=True)
class Flags:
    """The flags of one stream.

    A flag is set unless its value is clearly false (null, false, 0, empty, `no`, `off` …).

    Attributes:
        flagged: Reads the fields that the schema or the mapping names: takes a record, returns `DELETED`,
            `DO_NOT_CALL` or None.
        known: The fields that the schema names. A record may have others, and one of those may be well known for
            forbidding the call. None where only the user's own fields forbid it.
    """

    flagged: Callable[[Record], Outcome | None]
    known: frozenset[str] | None
    _forbidden: Callable[[Record], Outcome | None]

    @classmethod
    def compile(cls, mapping: StreamMapping, names: Sequence[str]) -> Flags:
        """Prepare the flags.

        Args:
            mapping: What the user says of the stream.
            names: The fields of its records, as far as the schema names them.
        """
        forbidding = mapping.do_not_call
        if forbidding is None:
            forbidding = presets.do_not_call(mapping.preset, names)
        well_known = mapping.do_not_call is None and mapping.preset != "none"
        return cls(
            flagged=compile_flags(presets.deleted(names), forbidding),
            known=frozenset(names) if well_known else None,
            _forbidden=compile_flags((), forbidding),
        )

    def screen(self, record: Record) -> Outcome | None:
        """Whether a record must not be loaded: `DELETED`, else `DO_NOT_CALL`, else None."""
        flagged = self.flagged(record)
        return flagged if flagged is not None else self._forbidden_unnamed(record)

    def forbid_call(self, record: Record) -> bool:
        """Whether a record must not be called, deleted or not."""
        return (self._forbidden(record) or self._forbidden_unnamed(record)) is not None

    def _forbidden_unnamed(self, record: Record) -> Outcome | None:
        """`DO_NOT_CALL` where a well-known field that the schema does not name is set."""
        if self.known is not None and not record.keys() <= self.known:
            for name in record.keys() - self.known:
                if presets.is_do_not_call(name) and is_flagged(record[name]):
                    return Outcome.DO_NOT_CALL
        return None
