"""``history``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from segmentd.bootstrap import App
from segmentd.cli.common import (
    Instant,
    Invocation,
    echo_json,
    json_option,
    now_option,
    pass_invocation,
)
from segmentd.cli.report import columns
from segmentd.cli.session import found, session
from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean
from segmentd.pipeline.history import SAID, Calendar, Period, known_by, periods
from segmentd.pipeline.reconstruct import reconstruct as reconstructed

_SINCE = {"week": timedelta(weeks=12), "month": timedelta(days=335)}


@click.command()
@click.argument("what", metavar="SEGMENT|EMAIL|SOURCE:ID")
@click.option(
    "--since", type=Instant(), help="Nothing older [default: 12 weeks or months, or all]."
)
@click.option(
    "--by", type=click.Choice(["week", "month"]), default="week", show_default=True,
    help="How long a line of a segment's table is.",
)  # fmt: skip
@click.option(
    "--reconstruct", is_flag=True,
    help="What the present rule would have given, from what is known of the past today.",
)  # fmt: skip
@now_option
@json_option
@pass_invocation
def history(
    invocation: Invocation,
    what: str,
    since: datetime | None,
    by: str,
    reconstruct: bool,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Show week by week who entered and left a segment and why, or where a customer has been."""
    # no key of a segment has one of these
    person = "@" in what or ":" in what
    if person and reconstruct:
        raise click.UsageError("--reconstruct goes with a segment")
    with session(invocation, now, quiet=as_json) as app:
        told: Any
        if person:
            told = _people(app, what, since)
        else:
            told = _segment(app, what, since, by, reconstruct=reconstruct)
    if as_json:
        echo_json(told)
        return
    for entry in told if person else [told]:
        for line in _intervals(entry) if person else _table(entry, by):
            click.echo(line)


def _segment(
    app: App, key: str, since: datetime | None, by: str, *, reconstruct: bool
) -> dict[str, Any]:
    stored = () if reconstruct else app.store.known_segments()
    known = {*stored, *(segment.key for segment in app.config.segments)}
    if key not in known:
        near = did_you_mean(key, known)
        raise ConfigError(
            f'there is no segment "{key}"{near}; a customer is written EMAIL or SOURCE:ID'
        )
    shop, now = app.shop(), app.clock()
    if since is not None and since > now:
        raise ConfigError("--since lies in the future; write an instant of the past")
    calendar, since = (
        Calendar(shop.time_zone, shop.week_start, by == "month"),
        since or now - _SINCE[by],
    )
    if not reconstruct:
        found = periods(app.store.flows(key), calendar, since, now)
        return {"segment": key, f"{by}s": [_period(each) for each in found]}
    past = reconstructed(app.asking("history"), key, calendar, since)
    return {
        "segment": key,
        "reconstructed": True,
        f"{by}s": [_period(each) for each in past.periods],
        "notes": list(past.notes),
    }


def _period(period: Period) -> dict[str, Any]:
    return {**asdict(period), "begin": period.begin.isoformat()}


def _table(told: dict[str, Any], by: str) -> Iterator[str]:
    rows = [(f"{by} of", "size", "entered", "left", "causes")]
    for period in told[f"{by}s"]:
        causes = ", ".join(f"{n} {SAID[cause]}" for cause, n in sorted(period["causes"].items()))
        counts = (str(period[key]) for key in ("size", "entered", "left"))
        rows.append((period["begin"], *counts, causes))
    if "notes" not in told:
        yield from columns(rows)
        return
    yield "reconstructed from what is known today; nothing of it was stored"
    yield from columns([row[:-1] for row in rows])
    yield from told["notes"]


def _people(app: App, who: str, since: datetime | None) -> list[dict[str, Any]]:
    return [
        {
            "profile_id": person.profile_id,
            "source": person.source,
            "customer_id": person.customer_id,
            "email": person.email,
            "memberships": [
                asdict(each)
                for each in known_by(app.store.intervals(person.profile_id), app.clock())
                if since is None or each.left_at is None or each.left_at >= since
            ],
        }
        for person in app.store.people(found(app, who))
    ]


def _intervals(person: dict[str, Any]) -> Iterable[str]:
    yield f"{person['source']}:{person['customer_id']}  {person['email'] or '-'}"
    rows = [
        (
            each["segment"],
            _when(each["entered_at"], each["cause"]),
            "to",
            _when(each["left_at"], each["left_cause"]) if each["left_at"] else "now",
            f"rule {each['version'][:8]}" if each["version"] else "",
        )
        for each in person["memberships"]
    ]
    yield from (f"  {line}" for line in columns(rows))
    if not rows:
        yield "  was in no segment"


def _when(at: datetime, cause: str) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z {SAID[cause]}"
