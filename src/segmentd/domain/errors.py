"""Errors, grouped by what the catcher does.

SegmentdError
├── ConfigError      edit the file, then run again
│   └── RuleError    the same, with line and column in a rule
├── AuthError        stop this connector, the others go on
├── TransientError   try later, not before ``retry_after`` seconds
├── RejectedError    this one row: record it, go on
├── SafetyStop       a person must confirm
├── UndecidedError   read or segment first
├── LockedError      another process holds what we need
├── Stopping         the process was asked to end
└── SchemaError      the database is older or newer than this program
"""

from __future__ import annotations


class SegmentdError(Exception):
    """Base of every error that segmentd expects; its text is one sentence for a person."""

    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.hint
        """The next command to type, if there is one."""


class ConfigError(SegmentdError):
    """The configuration is wrong: nothing was read, written or sent."""


class RuleError(ConfigError):
    """A rule is wrong; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, *, line: int, column: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


class AuthError(SegmentdError):
    """The platform refuses our credentials or rights: a person must act."""


class TransientError(SegmentdError):
    """The platform or the network failed for now; the same call may succeed later."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds that the server asked us to wait, if it did."""


class RejectedError(SegmentdError):
    """The platform refuses this one row for good."""


class SafetyStop(SegmentdError):  # noqa: N818 - the word of the architecture
    """A guard stopped a change that looks like a mistake; ``hint`` names the confirming command."""


class UndecidedError(SegmentdError):
    """The memberships are not by what is configured now; ``hint`` names the command that comes
    first."""


class LockedError(SegmentdError):
    """Another process holds the store, the source or the destination."""


class Stopping(SegmentdError):  # noqa: N818 - a wish, not a fault
    """The process was asked to end; raised from the interruptible sleep and between batches."""


class SchemaError(SegmentdError):
    """The database's schema is not the one of this program."""
