"""Every error this package raises on purpose, as one tree.

::

    EngageVoiceError
    ├── UsageError               the command line is wrong                             exit 2
    ├── FatalError               the run can not go on                                 exit 1
    │   ├── ConfigError          a setting is missing, unknown or contradicts another
    │   ├── InputError           standard input does not speak Singer
    │   ├── SignInError          the server refuses the credentials
    │   ├── ServerError          the server refuses or breaks, for longer than the retries last
    │   ├── LedgerError          the ledger can not be opened, read or written
    │   ├── QuotaError           the shared store of the rate limits can not be reached
    │   ├── RetiredTooMany       `max_retired_percent` would be crossed; nothing was retired
    │   ├── StorageError         rejects, run record or STATE can not be written
    │   └── Interrupted          SIGTERM or SIGINT
    └── RejectedTooMany          `max_rejected_percent` was crossed                    exit 3

A message says what happened, to what, and what to do. It carries no personal data and no secret: never the
text of a `requests` exception (it holds the URL, and a password may be in it), never a value of a record.
What is wrong with one record is a value, `leads.Rejection`, not an error.
"""

from __future__ import annotations

from typing import ClassVar


class EngageVoiceError(Exception):
    """The root of the tree.

    Attributes:
        exit_code: What the executables exit with when this ends the run (contract, section 2).
        code: A short stable word for the run record and for scripts.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"


class UsageError(EngageVoiceError):
    """The command line is wrong."""

    exit_code = 2
    code = "usage"


class FatalError(EngageVoiceError):
    """The run can not go on; what was not settled stays out of STATE."""

    code = "fatal"


class ConfigError(FatalError):
    """A setting is missing, unknown, of the wrong kind, or contradicts another."""

    code = "config"


class InputError(FatalError):
    """Standard input does not speak Singer."""

    code = "input"


class SignInError(FatalError):
    """The server refuses the credentials, or the answer to the sign-in can not be read."""

    code = "sign_in"


class ServerError(FatalError):
    """The server refuses or breaks, and retrying did not help."""

    code = "server"


class LedgerError(FatalError):
    """The ledger can not be opened, read or written."""

    code = "ledger"


class QuotaError(FatalError):
    """The store in which several processes share the account's rate limits can not be reached."""

    code = "quota"


class RetiredTooMany(FatalError):  # noqa: N818 - the threshold's name reads better than an Error suffix
    """An activated version lacks more leads than `max_retired_percent` allows to retire."""

    code = "retired"


class StorageError(FatalError):
    """A file this run must write (rejects, run record) or STATE on stdout can not be written."""

    code = "storage"


class Interrupted(FatalError):  # noqa: N818 - named after what happened, as KeyboardInterrupt is
    """The run was asked to stop by SIGTERM or SIGINT."""

    code = "interrupted"


class RejectedTooMany(EngageVoiceError):  # noqa: N818 - the threshold's name reads better than an Error suffix
    """More records were rejected than `max_rejected_percent` allows."""

    exit_code = 3
    code = "rejected"
