"""Exit codes, and the one place that turns errors into a sentence and a code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from enum import IntEnum

import click

from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    LockedError,
    RejectedError,
    SafetyStop,
    SchemaError,
    SegmentdError,
    Stopping,
    TransientError,
    UndecidedError,
)


class Exit(IntEnum):
    """What the process tells its caller; the numbers never change."""

    OK = 0
    """Done, or nothing to do."""
    UNEXPECTED = 1
    """A fault of the program."""
    CONFIG = 2
    """The command line, the configuration or a rule is wrong."""
    PARTIAL = 3
    """Finished, but some records or changes were refused, or a comparison found differences."""
    AUTH = 4
    """A platform refuses our credentials or rights."""
    TEMPORARY = 5
    """A platform or the network failed for now: try later."""
    HELD = 6
    """A change was held back: a person must confirm, or another command comes first."""
    LOCKED = 7
    """Another process holds the store, the source or the destination."""
    SCHEMA = 8
    """The database is older or newer than this program."""
    CHANGES = 10
    """``plan --detailed-exitcode``: there is something to push."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""
    TERMINATED = 143
    """Ended by SIGTERM."""


_CODES = {
    ConfigError: Exit.CONFIG,
    AuthError: Exit.AUTH,
    TransientError: Exit.TEMPORARY,
    RejectedError: Exit.PARTIAL,
    SafetyStop: Exit.HELD,
    UndecidedError: Exit.HELD,
    LockedError: Exit.LOCKED,
    SchemaError: Exit.SCHEMA,
    Stopping: Exit.INTERRUPTED,
}


class Failed(Exception):  # noqa: N818 - what some did, while others did not
    """Some of several connectors failed: ``errors`` by their names; ``worst`` gives the code."""

    def __init__(self, errors: Mapping[str, SegmentdError], worst: SegmentdError) -> None:
        super().__init__(*errors.values())
        self.errors = errors
        self.worst = worst


def code_of(error: SegmentdError) -> Exit:
    """The exit code of an expected error."""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return Exit.UNEXPECTED


def report(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong and what to type next; returns the exit code."""
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return error.exit_code
    if isinstance(error, Failed):
        for name, each in error.errors.items():
            _tell(each, f"{name}: ", debug=debug)
        return code_of(error.worst)
    if isinstance(error, SegmentdError):
        _tell(error, debug=debug)
        return code_of(error)
    if debug:
        _say(_where(error))
    if isinstance(error, click.Abort | KeyboardInterrupt):
        _say("segmentd: interrupted")
        return Exit.INTERRUPTED
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _say(f"segmentd: unexpected error: {text}")
    if not debug:
        _say("try: the same command with --debug shows where")
    return Exit.UNEXPECTED


def _tell(error: SegmentdError, of: str = "", *, debug: bool) -> None:
    if debug:
        _say(_where(error))
    _say(f"segmentd: {of}{error.message}")
    if error.hint:
        _say(f"try: {error.hint}")


def _where(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _say(text: str) -> None:
    # here, so that a command that ends well does not pay for structlog
    from segmentd.logs import redact

    click.echo(redact(text), err=True)
