"""Every error this package raises on purpose, as one tree.

::

    EngageVoiceError
    ├── UsageError               the command line is wrong                             exit 2
    ├── FatalError               the run cannot continue                               exit 1
    │   ├── ConfigError          a setting is missing, unknown or contradicts another
    │   ├── InputError           standard input does not hold Singer messages
    │   ├── SignInError          the server refuses the credentials
    │   ├── ServerError          the server refuses or breaks, for longer than the retries last
    │   ├── LedgerError          the ledger cannot be opened, read or written
    │   ├── QuotaError           the shared store of the rate limits cannot be reached
    │   ├── RetiredTooMany       `max_retired_percent` would be crossed; nothing was retired
    │   ├── StorageError         rejects, run record or STATE cannot be written
    │   └── Interrupted          SIGTERM or SIGINT
    └── RejectedTooMany          `max_rejected_percent` was crossed                    exit 3

Three subclasses are defined where they are raised. `target` has two kinds of `InputError` that are errors of the SDK as
well; `api.auth.posting` has a `SignInError` with the server's answer.

A message says what happened, to what, and what to do. It carries no personal data and no secret: never the
text of a `requests` exception (it holds the URL, and a password may be in it), never a value of a record.
What is wrong with one record is a value, `model.lead.Rejection`, not an error.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConfigError",
    "EngageVoiceError",
    "FatalError",
    "InputError",
    "Interrupted",
    "LedgerError",
    "QuotaError",
    "RejectedTooMany",
    "RetiredTooMany",
    "ServerError",
    "SignInError",
    "StorageError",
    "UsageError",
    "from_mistake",
]


class EngageVoiceError(Exception):
    """The root of the tree.

    Attributes:
        exit_code: What the executables exit with when this ends the run (contract, section 2).
        code: A short stable name for the run record and for scripts.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"


class UsageError(EngageVoiceError):
    """The command line is wrong."""

    exit_code = 2
    code = "usage"


class FatalError(EngageVoiceError):
    """The run cannot continue; STATE does not move past records without an outcome."""

    code = "fatal"


class ConfigError(FatalError):
    """A setting is missing, unknown, of the wrong kind, or contradicts another."""

    code = "config"


class InputError(FatalError):
    """Standard input does not hold Singer messages."""

    code = "input"


class SignInError(FatalError):
    """The server refuses the credentials, or the answer to the sign-in cannot be read."""

    code = "sign_in"


class ServerError(FatalError):
    """The server refuses or breaks, and retrying did not help."""

    code = "server"


class LedgerError(FatalError):
    """The ledger cannot be opened, read or written."""

    code = "ledger"


class QuotaError(FatalError):
    """The store in which several processes share the account's rate limits cannot be reached."""

    code = "quota"


class RetiredTooMany(FatalError):  # noqa: N818 - the threshold's name reads better than an Error suffix
    """An activated version lacks more leads than `max_retired_percent` allows to retire."""

    code = "retired"


class StorageError(FatalError):
    """A file this run must write (rejects, run record) or STATE on stdout cannot be written."""

    code = "storage"


class Interrupted(FatalError):  # noqa: N818 - named after what happened, as KeyboardInterrupt is
    """The run was asked to stop by SIGTERM or SIGINT."""

    code = "interrupted"


class RejectedTooMany(EngageVoiceError):  # noqa: N818 - the threshold's name reads better than an Error suffix
    """More records were rejected than `max_rejected_percent` allows."""

    exit_code = 3
    code = "rejected"


def from_mistake(error: BaseException, program: str) -> FatalError:
    """An error for a mistake in this package: what was raised and where, without the data that its text may hold.

    Args:
        error: Any exception that is not an `EngageVoiceError`.
        program: The name of the executable.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{last.tb_lineno}" if last is not None else "?"
    fatal = FatalError(
        f"a mistake in {program} itself: {type(error).__name__} at {place}. Report it with this line; LOGLEVEL=DEBUG "
        "logs its traceback."
    )
    fatal.__cause__ = error
    return fatal
