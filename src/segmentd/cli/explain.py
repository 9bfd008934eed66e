"""``explain``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
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
from segmentd.cli.report import INSUFFICIENT_DATA
from segmentd.cli.session import check_past, chosen, found, session
from segmentd.domain.segments import Segment
from segmentd.pipeline.ask import Asking
from segmentd.pipeline.history import SAID, Interval, known_by
from segmentd.segmenter.explain import Explanation


@click.command()
@click.argument("who", metavar="EMAIL|SOURCE:ID")
@click.option("--segment", "only", help="Only this segment.")
@click.option(
    "--as-of",
    type=Instant(),
    help="How it was then: membership from the history, reasons from what had happened.",
)
@now_option
@json_option
@pass_invocation
def explain(
    invocation: Invocation,
    who: str,
    only: str | None,
    as_of: datetime | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Say why a customer is in each segment or not, until when, and what would change it."""
    if as_of is not None and now is not None:
        raise click.UsageError("--as-of and --now do not go together")
    with session(invocation, as_of or now, quiet=as_json) as app:
        if as_of is not None:
            check_past(app, as_of)
        profile_ids = found(app, who)
        segments = chosen(app, only)
        ask = app.asking("explain").of(*(segment.key for segment in segments))
        thresholds = None if as_of is None else app.store.thresholds_at(as_of)
        told = [
            _person(app, ask, segments, profile_id, thresholds, as_of) for profile_id in profile_ids
        ]
    if as_json:
        echo_json(told)
        return
    for person in told:
        click.echo(f"{person['source']}:{person['customer_id']}  {person['email'] or '-'}")
        if person["insufficient_data"]:
            click.echo(INSUFFICIENT_DATA)
        for entry in person["segments"]:
            state = "member" if entry["member"] else "not a member"
            since = f" since {entry['since']:%Y-%m-%d %H:%M}Z" if entry["since"] else ""
            cause = f" {SAID[entry['cause']]}" if entry["cause"] else ""
            click.echo(f"\n{entry['title']} ({entry['segment']}): {state}{since}{cause}")
            if entry["differs"]:
                click.echo(entry["differs"])
            click.echo(entry["text"])


def _person(
    app: App,
    ask: Asking,
    segments: Sequence[Segment],
    profile_id: int,
    thresholds: Mapping[str, str] | None,
    as_of: datetime | None,
) -> dict[str, Any]:
    (person,) = app.store.people([profile_id])
    keys = [segment.key for segment in segments]
    told = dict(ask.explain(profile_id, keys, thresholds, past=as_of is not None))
    since, passed = _since(app, profile_id, as_of), app.store.evaluated_at()
    return {
        "profile_id": profile_id,
        "source": person.source,
        "customer_id": person.customer_id,
        "email": person.email,
        "insufficient_data": not app.complete(),
        "segments": [
            {
                "segment": segment.key,
                "title": segment.title,
                **_standing(told[segment.key], since.get(segment.key), as_of, passed),
            }
            for segment in segments
        ],
    }


def _standing(
    why: Explanation, stored: Interval | None, as_of: datetime | None, passed: datetime | None
) -> dict[str, Any]:
    """``stored``: the time that it is a member by the history; ``passed``: of the last pass."""
    member = why.member if as_of is None else stored is not None
    entered = stored if member else None
    return {
        "member": member,
        "since": entered.entered_at if entered else None,
        "cause": entered.cause if entered else None,
        "until": why.until,
        "due": why.due,
        "differs": _differs(stored is not None, bool(why.member), as_of, passed),
        "text": why.to_text(),
        "why": why.to_dict(),
    }


def _differs(
    stored: bool, member: bool, as_of: datetime | None, passed: datetime | None
) -> str | None:
    if stored == member:
        return None
    if as_of is not None:
        return f"the rule as it is now would make {'a' if member else 'no'} member"
    if passed is None:
        return "not stored: no pass was made yet"
    was = "a" if stored else "no"
    return f"stored as {was} member by the last pass, as of {passed:%Y-%m-%d %H:%M:%S}Z"


def _since(app: App, profile_id: int, as_of: datetime | None) -> dict[str, Interval]:
    """Segment → the time that the profile is in it (or was then), as the history says."""
    intervals = app.store.intervals(profile_id)
    if as_of is not None:
        intervals = known_by(intervals, as_of)
    return {each.segment: each for each in intervals if each.left_at is None}
