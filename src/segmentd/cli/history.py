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
from segmentd.pipeline.history import Week, weeks

_WEEKS = timedelta(weeks=12)


@click.command()
@click.argument("what", metavar="SEGMENT|EMAIL|SOURCE:ID")
@click.option("--since", type=Instant(), help="Nothing older [default: 12 weeks, or all].")
@now_option
@json_option
@pass_invocation
def history(
    invocation: Invocation, what: str, since: datetime | None, now: datetime | None, as_json: bool
) -> None:
    """Show week by week who entered and left a segment and why, or where a customer has been."""
    with session(invocation, now, quiet=as_json) as app:
        # no key of a segment has one of these
        person = "@" in what or ":" in what
        told = _people(app, what, since) if person else _segment(app, what, since)
    if as_json:
        echo_json(told)
        return
    for entry in told if isinstance(told, list) else [told]:
        for line in _intervals(entry) if person else _weeks(entry):
            click.echo(line)


def _segment(app: App, key: str, since: datetime | None) -> dict[str, Any]:
    known = {*app.store.known_segments(), *(segment.key for segment in app.config.segments)}
    if key not in known:
        near = did_you_mean(key, known)
        raise ConfigError(
            f'there is no segment "{key}"{near}; a customer is written EMAIL or SOURCE:ID'
        )
    shop, now = app.shop(), app.clock()
    if since is not None and since > now:
        raise ConfigError("--since lies in the future; write an instant of the past")
    flows = app.store.flows(key)
    found_ = weeks(flows, since or now - _WEEKS, now, shop.time_zone, shop.week_start)
    return {"segment": key, "weeks": [_week(week) for week in found_]}


def _week(week: Week) -> dict[str, Any]:
    return {**asdict(week), "begin": week.begin.isoformat()}


def _weeks(told: dict[str, Any]) -> Iterator[str]:
    rows = [("week of", "size", "entered", "left", "causes")]
    for week in told["weeks"]:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(week["causes"].items()))
        rows.append((week["begin"], *(str(week[k]) for k in ("size", "entered", "left")), causes))
    return iter(columns(rows))


def _people(app: App, who: str, since: datetime | None) -> list[dict[str, Any]]:
    return [
        {
            "profile_id": person.profile_id,
            "source": person.source,
            "customer_id": person.customer_id,
            "email": person.email,
            "memberships": [
                asdict(each)
                for each in app.store.intervals(person.profile_id)
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
    return f"{at:%Y-%m-%d %H:%M}Z ({cause})"
