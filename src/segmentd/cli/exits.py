"""Exit codes, and the one place that turns errors into a sentence and a code."""

from __future__ import annotations

import sys
import traceback
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


def code_of(error: SegmentdError) -> Exit:
    """The exit code of an expected error."""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return Exit.UNEXPECTED


def report(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong and what to type next; returns the exit code."""
    # here, so that a command that ends well does not pay for structlog
    from segmentd.logs import redact

    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return error.exit_code
    if debug:
        click.echo(redact("".join(traceback.format_exception(error))), err=True)
    if isinstance(error, SegmentdError):
        click.echo(f"segmentd: {redact(error.message)}", err=True)
        if error.hint:
            click.echo(f"try: {redact(error.hint)}", err=True)
        return code_of(error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("segmentd: interrupted", err=True)
        return Exit.INTERRUPTED
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    click.echo(f"segmentd: unexpected error: {redact(text)}", err=True)
    if not debug:
        click.echo("try: the same command with --debug shows where", err=True)
    return Exit.UNEXPECTED
