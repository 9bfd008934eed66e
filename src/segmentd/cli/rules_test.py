"""``rules test``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from segmentd.bootstrap import compiled, configured_shop
from segmentd.cli.common import Invocation, echo_json, json_option, pass_invocation
from segmentd.cli.exits import Exit
from segmentd.config import Config
from segmentd.config_fixtures import read_tests
from segmentd.domain.errors import ConfigError
from segmentd.pipeline.rule_tests import surprises

_DEFAULT = "tests/rules/*.toml"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
@pass_invocation
def test(invocation: Invocation, files: tuple[Path, ...], as_json: bool) -> Exit:
    """Try the rules on made-up customers, without a store; ends with 3 if they decide otherwise.

    FILES: by default tests/rules/*.toml beside the configuration. How they are written is
    described in docs/rule-tests.md.
    """
    config = invocation.start()
    results = [result for path in files or _found(config) for result in _results(config, path)]
    failed = [result for result in results if result["failures"]]
    if as_json:
        echo_json(results)
    else:
        click.echo("\n".join(_lines(results)))
    return Exit.PARTIAL if failed else Exit.OK


def _found(config: Config) -> Sequence[Path]:
    files = sorted(config.path.parent.glob(_DEFAULT))
    if not files:
        raise ConfigError(
            f"there is no {config.path.parent / _DEFAULT}; name the files to be tried"
        )
    return files


def _results(config: Config, path: Path) -> Iterator[dict[str, Any]]:
    tests = read_tests(path, configured_shop(config))
    ruleset = compiled(config, tests.shop)
    for number, each in enumerate(tests.tests, 1):
        try:
            found = list(
                surprises(ruleset, tests.people, tests.products, each.now, each.expect, each.values)
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: [tests, number {number}] {error.message}") from error
        yield {
            "file": str(path),
            "test": number,
            "now": each.now,
            "checked": len(each.expect) * len(tests.people),
            "failures": [
                {
                    "segment": surprise.segment,
                    "customer": surprise.customer,
                    "member": surprise.member,
                    "text": surprise.why.to_text(),
                    "why": surprise.why.to_dict(),
                }
                for surprise in found
            ],
        }


def _lines(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    for result in results:
        head = f"{result['file']}, test {result['test']} at {result['now']:%Y-%m-%d %H:%M}Z"
        if not result["failures"]:
            yield f"ok    {head}"
            continue
        yield f"FAIL  {head}"
        for failure in result["failures"]:
            verdict = "is a member" if failure["member"] else "is no member"
            yield f"      {failure['customer']} {verdict} of {failure['segment']}:"
            yield from (f"        {line}" for line in failure["text"].splitlines())
    wrong = sum(len(result["failures"]) for result in results)
    checked = sum(result["checked"] for result in results)
    yield f"{checked} memberships checked, {wrong} not as expected"
