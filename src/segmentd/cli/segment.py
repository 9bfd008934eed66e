"""``segment``, ``preview`` and ``explain``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from segmentd.bootstrap import App
from segmentd.cli import report
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.session import session
from segmentd.domain.errors import ConfigError


@click.command()
@click.option("--full", is_flag=True, help="Evaluate everybody, not only who may have changed.")
@now_option
@json_option
@pass_invocation
def segment(invocation: Invocation, full: bool, now: datetime | None, as_json: bool) -> None:
    """Decide who belongs to which segment now; pushes nothing."""
    with session(invocation, now, quiet=as_json) as app:
        summary = app.segment(full=full)
    if as_json:
        echo_json(report.segmented_values(summary))
    else:
        click.echo("\n".join(report.segmented_lines(summary)))


@click.command()
@click.argument("rule")
@now_option
@json_option
@pass_invocation
def preview(invocation: Invocation, rule: str, now: datetime | None, as_json: bool) -> None:
    """Say how many customers RULE selects, and who; keeps nothing."""
    with session(invocation, now, quiet=as_json) as app:
        found = app.preview({"preview": rule})["preview"]
        people = app.store.people(found.sample)
    values: dict[str, Any] = {
        "rule": rule,
        "words": app.words(rule),
        "size": found.size,
        "profiles": found.profiles,
        "share": found.share,
        "revenue": found.revenue,
        "revenue_share": found.revenue_share,
        "sample": [
            {
                "profile_id": person.profile_id,
                "source": person.source,
                "customer_id": person.customer_id,
                "email": person.email,
            }
            for person in people
        ],
    }
    if as_json:
        echo_json(values)
        return
    click.echo(values["words"])
    click.echo(
        f"{found.size} of {found.profiles} customers ({report.as_percent(found.share)}), "
        f"{report.as_percent(found.revenue_share)} of revenue"
    )
    for person in people:
        click.echo(f"  {person.source}:{person.customer_id}  {person.email or '-'}")


@click.command()
@click.argument("who", metavar="EMAIL|SOURCE:ID")
@click.option("--segment", "only", help="Only this segment.")
@now_option
@json_option
@pass_invocation
def explain(
    invocation: Invocation, who: str, only: str | None, now: datetime | None, as_json: bool
) -> None:
    """Say why a customer is in each segment or not, and until when."""
    with session(invocation, now, quiet=as_json) as app:
        ids = app.store.find(who)
        if not ids:
            raise ConfigError(
                f"nobody in the store is {who!r}; write an e-mail address or SOURCE:ID, "
                "for example shop:1234",
                hint="segmentd export profiles",
            )
        told = [_person(app, profile_id, only) for profile_id in ids]
    if as_json:
        echo_json(told)
        return
    for person in told:
        click.echo(f"{person['source']}:{person['customer_id']}  {person['email'] or '-'}")
        for entry in person["segments"]:
            state = "member" if entry["member"] else "not a member"
            since = f" since {entry['since']:%Y-%m-%d %H:%M}Z" if entry["since"] else ""
            click.echo(f"\n{entry['title']} ({entry['segment']}): {state}{since}")
            click.echo(entry["text"])


def _person(app: App, profile_id: int, only: str | None) -> dict[str, Any]:
    (person,) = app.store.people([profile_id])
    since = app.store.memberships_of(profile_id)
    segments = []
    for segment_, explanation in app.explain(profile_id, only):
        segments.append(
            {
                "segment": segment_.key,
                "title": segment_.title,
                "member": explanation.holds,
                "since": since.get(segment_.key) if explanation.holds else None,
                "until": explanation.due,
                "text": explanation.to_text(),
                "why": explanation.to_dict(),
            }
        )
    return {
        "profile_id": profile_id,
        "source": person.source,
        "customer_id": person.customer_id,
        "email": person.email,
        "segments": segments,
    }
