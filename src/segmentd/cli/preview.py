"""``preview``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from segmentd.bootstrap import App
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.facts import check_filled
from segmentd.cli.report import INSUFFICIENT_DATA, as_percent, columns
from segmentd.cli.session import chosen, session
from segmentd.domain.errors import RuleError
from segmentd.domain.segments import Segment
from segmentd.pipeline.ask import Asking
from segmentd.segmenter.fitted import bound
from segmentd.segmenter.preview import Preview
from segmentd.segmenter.render import money, words
from segmentd.segmenter.spelling import text
from segmentd.store.reads import Person

ASKED = "this rule"
"""No segment has such a key."""
_BAR = 30


@click.command()
@click.argument("rule", required=False)
@click.option("--segment", "key", help="A configured segment instead of RULE.")
@now_option
@json_option
@pass_invocation
def preview(
    invocation: Invocation,
    rule: str | None,
    key: str | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Say how many customers RULE selects, who, why, and since when; keeps nothing.

    Ctrl-C ends it at once.
    """
    if (rule is None) == (key is None):
        raise click.UsageError("write a rule, or --segment with the name of one that is configured")
    with session(invocation, now, quiet=as_json) as app:
        if key is not None:
            chosen(app, key)
        values = _values(app, _asking(app, rule).of(key or ASKED), key or ASKED)
    if as_json:
        echo_json(values)
    else:
        click.echo("\n".join(_lines(values)))


def _asking(app: App, rule: str | None) -> Asking:
    if rule is None:
        return app.asking("preview")
    try:
        return app.asking("preview", [Segment(ASKED, ASKED, rule)])
    except RuleError as error:
        message = error.message.removeprefix(f"segment '{ASKED}': ")
        raise RuleError(message, line=error.line, column=error.column) from error


def _values(app: App, ask: Asking, key: str) -> dict[str, Any]:
    configured = [segment.key for segment in app.config.segments]
    for rule in ask.ruleset.rules.values():
        check_filled(app.config, rule)
    found, thresholds = ask.preview(key, configured)
    currency = ask.ruleset.shop.currency
    rule = ask.ruleset.rules[key]
    return {
        "rule": text(rule),
        "words": words(bound(ask.ruleset, thresholds).rules[key], currency),
        "insufficient_data": not app.complete(),
        "currency": currency,
        "size": found.size,
        "profiles": found.everybody.size,
        "share": found.share,
        "revenue": found.worth.revenue,
        "total_revenue": found.everybody.revenue,
        "revenue_share": found.revenue_share,
        "funnel": [
            {
                "condition": text(step.part),
                "words": words(step.part, currency),
                "alone": step.alone,
                "together": step.together,
            }
            for step in found.funnel
        ],
        "overlap": _overlaps(found),
        "curve": [{"at": at, "size": size} for at, size in found.curve],
        "sample": [
            _example(person, ask, key, thresholds) for person in app.store.people(found.sample)
        ],
    }


def _overlaps(found: Preview) -> list[dict[str, Any]]:
    """The most similar segment first."""
    rows = [
        {"segment": key, "size": size, "common": both.common, "jaccard": both.jaccard}
        for key, (size, both) in found.overlaps.items()
    ]
    return sorted(rows, key=lambda row: (-float(str(row["jaccard"])), str(row["segment"])))


def _example(
    person: Person, ask: Asking, key: str, thresholds: Mapping[str, str]
) -> dict[str, Any]:
    ((_, why),) = ask.explain(person.profile_id, [key], thresholds)
    return {
        "profile_id": person.profile_id,
        "source": person.source,
        "customer_id": person.customer_id,
        "email": person.email,
        "reasons": why.to_line(),
    }


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    yield values["words"]
    if values["insufficient_data"]:
        yield INSUFFICIENT_DATA
    elif not values["profiles"]:
        yield "0 of 0 customers"
    if not values["profiles"]:
        return
    revenue = money(values["revenue"], values["currency"])
    yield (
        f"{values['size']} of {values['profiles']} customers ({as_percent(values['share'])}), "
        f"{as_percent(values['revenue_share'])} of revenue ({revenue})"
    )
    yield from _funnel(values)
    overlap = [row for row in values["overlap"] if row["common"]]
    if overlap:
        yield "\nMembers in common with"
        rows = [
            (
                row["segment"],
                row["common"],
                f"of {row['size']}",
                f"{as_percent(row['jaccard'])} alike",
            )
            for row in overlap
        ]
        yield from _indented(columns(rows))
    yield "\nSize in the last 90 days"
    most = max(point["size"] for point in values["curve"]) or 1
    points = [
        (f"{point['at']:%Y-%m-%d}", point["size"], "#" * round(_BAR * point["size"] / most))
        for point in values["curve"]
    ]
    yield from _indented(columns(points))
    if values["sample"]:
        yield "\nFor example"
    for person in values["sample"]:
        yield f"  {person['source']}:{person['customer_id']}  {person['email'] or '-'}"
        yield f"    {person['reasons']}"


def _funnel(values: Mapping[str, Any]) -> Iterator[str]:
    """Where customers fall out; what else decides comes last."""
    steps = values["funnel"]
    rows = [(step["alone"], step["together"], step["words"]) for step in steps]
    if steps[-1]["together"] != values["size"]:
        rows.append(("", values["size"], "after stays, grace, limit, pins and sets"))
    if len(rows) > 1:
        yield "\nAlone and together with those before"
        yield from _indented(columns(rows))


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
