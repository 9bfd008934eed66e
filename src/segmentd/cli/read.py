"""``status`` and ``export``."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import click

from segmentd.bootstrap import App, Waiting
from segmentd.cli import report
from segmentd.cli.common import (
    Instant,
    Invocation,
    echo_json,
    echo_lines,
    json_option,
    pass_invocation,
)
from segmentd.cli.session import check_past, session
from segmentd.domain.errors import ConfigError
from segmentd.store.reads import HistoryEntry, Membership, Person

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@json_option
@pass_invocation
def status(invocation: Invocation, as_json: bool) -> None:
    """Show how far each source is read, how large each segment is, what waits, what was refused."""
    with session(invocation) as app:
        state = app.store.status()
        waiting, wrong = _waiting(app)
    if as_json:
        echo_json({**dataclasses.asdict(state), "waiting": waiting and dataclasses.asdict(waiting)})
    else:
        echo_lines(report.status_lines(state, datetime.now(UTC)))
        echo_lines(report.waiting_lines(waiting) if waiting else ())
    if wrong is not None:
        raise wrong


def _waiting(app: App) -> tuple[Waiting | None, ConfigError | None]:
    """What waits; a rule that is wrong hides that alone, and is told behind the rest."""
    try:
        return app.waiting(), None
    except ConfigError as error:
        return None, error


@click.command()
@click.argument("what", type=click.Choice(["memberships", "changes", "profiles"]))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    default="csv",
    show_default=True,
)
@click.option("--as-of", type=Instant(), help="Memberships as they were then.")
@pass_invocation
def export(invocation: Invocation, what: str, form: str, as_of: datetime | None) -> None:
    """Write memberships, membership changes or profiles to stdout."""
    if as_of is not None and what != "memberships":
        raise click.UsageError("--as-of goes with memberships only")
    with session(invocation, quiet=True) as app:
        if as_of is not None:
            check_past(app, as_of)
        kinds: dict[str, tuple[type, Callable[[], Iterable[Any]]]] = {
            "memberships": (Membership, lambda: app.store.memberships(as_of)),
            "changes": (HistoryEntry, app.store.changes),
            "profiles": (Person, app.store.profiles),
        }
        kind, rows = kinds[what]
        names = [field.name for field in dataclasses.fields(kind)]
        _WRITERS[form](names, _plain(rows()))


def _plain(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {field.name: _cell(getattr(row, field.name)) for field in dataclasses.fields(row)}


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _write_csv(names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_harmless(row[name]) for name in names])


def _harmless(value: object) -> object:
    """A spreadsheet must not take a cell for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _write_jsonl(_names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    everything = list(rows)
    table = pa.table({name: [row[name] for row in everything] for name in names})
    parquet.write_table(table, sys.stdout.buffer)


_WRITERS = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}
