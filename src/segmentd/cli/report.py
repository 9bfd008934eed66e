"""How results look: lines and tables for a person, plain values for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from segmentd.bootstrap import App, Outcome, Waiting
from segmentd.domain.cursor import BACKFILL
from segmentd.domain.errors import SegmentdError
from segmentd.pipeline.pull import PullSummary
from segmentd.pipeline.push import Plan, PushSummary
from segmentd.pipeline.segment import SegmentSummary
from segmentd.sdk.contract import Action
from segmentd.store.reads import Status, StreamState

INSUFFICIENT_DATA = (
    "insufficient data; a source has not been read to its end yet (segmentd status shows which)"
)


def pulled_lines(outcome: Outcome[PullSummary]) -> list[str]:
    """One line per stream."""
    lines = []
    for summary in outcome.done:
        for stream in summary.streams:
            text = f"{summary.source} {stream.stream}: {stream.read} read, {stream.written} changed"
            for count, word in ((stream.removed, "gone"), (stream.rejected, "rejected")):
                text += f", {count} {word}" if count else ""
            lines.append(text)
            if stream.held:
                lines.append(
                    f"  {stream.held} stored {stream.stream} were not listed: too many to believe; "
                    f"if it is right: segmentd backfill {summary.source} --accept-removals"
                )
        lines += [f"  {summary.source}: {warning}" for warning in summary.warnings]
    return lines


def pulled_values(outcome: Outcome[PullSummary]) -> dict[str, Any]:
    """The same for JSON."""
    done = {
        summary.source: {
            "streams": {
                stream.stream: {
                    "read": stream.read,
                    "written": stream.written,
                    "unchanged": stream.unchanged,
                    "removed": stream.removed,
                    "rejected": stream.rejected,
                    "held": stream.held,
                }
                for stream in summary.streams
            },
            "warnings": list(summary.warnings),
        }
        for summary in outcome.done
    }
    return {"sources": done, "failed": failed_values(outcome.failed)}


def segmented_lines(summary: SegmentSummary) -> list[str]:
    """What a pass did, in one or two lines."""
    if summary.insufficient_data:
        return [f"segments: {INSUFFICIENT_DATA}"]
    kind = "all profiles" if summary.full else "profiles"
    lines = [
        f"segments: {summary.evaluated} {kind} evaluated, "
        f"{summary.entered} entered, {summary.left} left"
    ]
    if summary.edited:
        lines.append(f"  new or edited: {', '.join(summary.edited)}")
    lines += [f"  warning: {warning}" for warning in summary.warnings]
    return lines


def segmented_values(summary: SegmentSummary) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "evaluated": summary.evaluated,
        "entered": summary.entered,
        "left": summary.left,
        "full": summary.full,
        "edited": list(summary.edited),
        "insufficient_data": summary.insufficient_data,
        "warnings": list(summary.warnings),
    }


def paused_lines(app: App) -> list[str]:
    """One line if nothing is pushed because the configuration wants it so."""
    why = app.paused()
    return [] if why is None else [why]


def pushed_lines(outcome: Outcome[PushSummary]) -> list[str]:
    """One line per destination."""
    return [
        f"{summary.destination}: {summary.added} added, {summary.removed} removed"
        + (f", {summary.rejected} rejected" if summary.rejected else "")
        for summary in outcome.done
    ]


def pushed_values(outcome: Outcome[PushSummary]) -> dict[str, Any]:
    """The same for JSON."""
    done = {
        summary.destination: {
            "added": summary.added,
            "removed": summary.removed,
            "rejected": summary.rejected,
        }
        for summary in outcome.done
    }
    return {"destinations": done, "failed": failed_values(outcome.failed)}


def plan_lines(outcome: Outcome[Plan]) -> list[str]:
    """The plan of each destination, name by name."""
    lines = []
    for plan in outcome.done:
        adds, removes = plan.count(Action.ADD), plan.count(Action.REMOVE)
        if not plan.changes:
            lines.append(f"{plan.destination}: nothing to do")
            continue
        lines.append(
            f"{plan.destination}: {adds.total()} to add, {removes.total()} to remove, "
            f"about {plan.requests} write requests and {plan.seconds:.0f} s (plan {plan.id})"
        )
        lines += [
            f"  {name}: +{adds[name]} -{removes[name]}" for name in sorted(adds.keys() | removes)
        ]
        if plan.new_contacts:
            lines.append(f"  up to {plan.new_contacts} contacts may be new there (and billed)")
        if plan.held:
            names = ", ".join("everything together" if n == "*" else n for n in plan.held)
            lines.append(
                f"  HELD: more removals than the guard allows ({names}); "
                f"if it is right: segmentd push --confirm {plan.id}"
            )
    return lines


def plan_values(outcome: Outcome[Plan]) -> dict[str, Any]:
    """The same for JSON, with every single change."""
    done = {
        plan.destination: {
            "plan": plan.id,
            "add": dict(plan.count(Action.ADD)),
            "remove": dict(plan.count(Action.REMOVE)),
            "requests": plan.requests,
            "seconds": round(plan.seconds, 1),
            "new_contacts": plan.new_contacts,
            "held": list(plan.held),
            "changes": [
                {
                    "action": change.action.value,
                    "name": change.name,
                    "profile_id": difference.target.profile_id,
                    "customer_id": change.customer_id,
                    "segment": difference.segment,
                }
                for difference, change in plan.changes
            ],
        }
        for plan in outcome.done
    }
    return {"destinations": done, "failed": failed_values(outcome.failed)}


def failed_values(failed: Mapping[str, SegmentdError]) -> dict[str, Any]:
    """The same for JSON."""
    return {
        name: {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        for name, error in failed.items()
    }


def as_percent(share: float) -> str:
    """``0.1234`` → ``12.3 %``."""
    return f"{100 * share:.1f} %"


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as left-aligned columns, two blanks apart."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))] if texts else []
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in texts
    ]


def rejected(outcome: Outcome[PullSummary]) -> bool:
    """Whether any record could not be understood."""
    return any(stream.rejected for summary in outcome.done for stream in summary.streams)


def refused(outcome: Outcome[PushSummary]) -> bool:
    """Whether a destination refused any change for good."""
    return any(summary.rejected for summary in outcome.done)


def status_lines(state: Status, now: datetime) -> list[str]:
    """How things stand, as a few tables."""
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in state.counts.items())
    lines = [f"{state.database}: {counts}"]
    streams = [
        (f"{s.source} {s.stream}", f"read up to {_when(s.watermark, now)}", _unfinished(s))
        for s in state.streams
        # a backfill has a place of its own only while it is going on
        if s.unfinished or not s.stream.endswith(BACKFILL)
    ]
    sizes = [(s.segment, s.size, f"changed {_when(s.changed_at, now)}") for s in state.segments]
    names = [
        (n.destination, n.name, ", ".join(f"{count} {state}" for state, count in n.states.items()))
        for n in state.names
    ]
    for title, rows in (("Sources", streams), ("Segments", sizes), ("Destinations", names)):
        lines += _table(title, rows)
    if state.next_due is not None or state.rejected:
        lines.append("")
    if state.next_due is not None:
        lines.append(f"Next change by time alone: {state.next_due:%Y-%m-%d %H:%M:%S}Z")
    if state.rejected:
        lines.append(f"Rejected: {state.rejected}")
        lines += [f"  {r.origin} {r.kind} {r.id}: {r.reason}" for r in state.rejections]
    return lines


def waiting_lines(waiting: Waiting) -> list[str]:
    """What is to be done yet, and the command that does it."""
    rows = [
        (name, "not read to its end yet", f"segmentd backfill {name}") for name in waiting.unread
    ]
    rows += [(key, "new or edited, not evaluated", "segmentd segment") for key in waiting.edited]
    rows += [
        (each.destination, f"{each.add} to add, {each.remove} to remove: HELD", "segmentd plan")
        if each.held
        else (each.destination, f"{each.add} to add, {each.remove} to remove", "segmentd push")
        for each in waiting.pushes
    ]
    return _table("Waiting", rows)


def _table(title: str, rows: Sequence[Sequence[object]]) -> list[str]:
    return ["", title, *(f"  {line}" for line in columns(rows))] if rows else []


def _unfinished(stream: StreamState) -> str:
    return "reading not finished" if stream.unfinished else ""


def _when(instant: datetime | None, now: datetime) -> str:
    if instant is None:
        return "never"
    minutes = int((now - instant).total_seconds() // 60)
    ago = f" ({minutes} min ago)" if 0 <= minutes < 24 * 60 else ""
    return f"{instant:%Y-%m-%d %H:%M:%S}Z{ago}"
