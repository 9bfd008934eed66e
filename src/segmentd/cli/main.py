"""The table of commands, and how one is found, run and ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from segmentd import __version__
from segmentd.cli.common import Invocation, common_options
from segmentd.cli.exits import Exit, report
from segmentd.domain.suggest import did_you_mean

COMMANDS = {
    "init": ("segmentd.cli.init:init", "Write a segmentd.toml to start from."),
    "check": ("segmentd.cli.check:check", "Check configuration, rules, database and platforms."),
    "sync": ("segmentd.cli.pull:sync", "Pull, segment and push once."),
    "pull": ("segmentd.cli.pull:pull", "Read what changed in the shops."),
    "backfill": ("segmentd.cli.pull:backfill", "Read a shop again from the beginning."),
    "segment": ("segmentd.cli.segment:segment", "Bring the memberships up to date."),
    "plan": ("segmentd.cli.push:plan", "Show what a push would do."),
    "push": ("segmentd.cli.push:push", "Bring tags and lists to the memberships."),
    "preview": ("segmentd.cli.preview:preview", "Try a rule without keeping anything."),
    "explain": ("segmentd.cli.explain:explain", "Say why a customer is in a segment or not."),
    "history": ("segmentd.cli.history:history", "Show what became of a segment or a customer."),
    "verify": ("segmentd.cli.verify:verify", "Compute everything anew and compare."),
    "rules": ("segmentd.cli.rules:rules", "Check, test, convert and put back rules."),
    "presets": ("segmentd.cli.presets:presets", "List ready-made segments, and add them."),
    "status": ("segmentd.cli.read:status", "Show how things stand."),
    "export": ("segmentd.cli.read:export", "Write memberships, changes or profiles to stdout."),
    "run": ("segmentd.cli.run:run", "Keep everything up to date until stopped."),
    "healthcheck": ("segmentd.cli.run:healthcheck", "Say whether the daemon here is alive."),
    "db": ("segmentd.cli.db:db", "Create, upgrade or check the database."),
    "connectors": ("segmentd.cli.connectors:connectors", "List the connectors and their settings."),
    "sandbox": ("segmentd.demo.sandbox:sandbox", "Serve a connector's fake platform."),
    "demo": ("segmentd.demo.command:demo", "Show everything on a made-up shop."),
}
"""Name → where the command is, and what ``--help`` says of it without importing it."""


class Program(click.Group):
    """The group that knows its commands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command and give it the common options."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        _take_common_options(command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As every group; click itself would end with 1 when the reader of our output went."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _pipe_closed()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As every group, but naming the nearest command for one that is not there."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f'No command is called "{args[0]}"{did_you_mean(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """From the table: ``--help`` imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _take_common_options(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _take_common_options(child)
    elif not any(param.name == "config_path" for param in command.params):
        command.params.extend(common_options())


program = Program(
    "segmentd",
    help="Segment the customers of Shopify and WooCommerce shops: pull, segment, push.",
    params=common_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
program = click.version_option(__version__, prog_name="segmentd")(program)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line; every error ends here as a sentence and an exit code."""
    invocation = Invocation()
    try:
        ended = program.main(args, "segmentd", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last one to see it
        return report(error, debug=invocation.debug)
    return ended if isinstance(ended, int) else Exit.OK


def _pipe_closed() -> Exit:
    """Whoever read our output has seen enough; the interpreter's own last flush must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.OK


def _terminate(_signal: int, _frame: object) -> NoReturn:
    sys.exit(Exit.TERMINATED)


def main() -> NoReturn:
    """The console script."""
    # the store and everything beside it holds personal data
    os.umask(0o077)
    # Python as process 1 of a container ignores SIGTERM unless there is a handler
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run())
