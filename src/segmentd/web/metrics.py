"""What a monitoring system asks: the figures of the daemon in the Prometheus text format.

Labels are names of the configuration and fixed words, never anything about a customer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import astuple, replace
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from segmentd.pipeline.pull import PullSummary
from segmentd.pipeline.push import PushSummary
from segmentd.sdk.contract import Meter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_CYCLE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """The figures of one daemon; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._registry = CollectorRegistry()
        self._seen: dict[str, Meter] = {}
        self._lock = threading.Lock()
        self._last_success = self._gauge(
            "last_success_timestamp_seconds",
            "When it was last read or written to the end",
            "connector",
        )
        self._cycle = Histogram(
            "segmentd_cycle_seconds",
            "Duration of a cycle: pull and segment, or push",
            ["connector"],
            registry=self._registry,
            buckets=_CYCLE_BUCKETS,
        )
        self._records = self._counter(
            "records", "Records read from sources, changes sent", "connector", "result"
        )
        self._requests = self._counter("http_requests", "Requests sent", "connector", "class")
        self._retries = self._counter("retry", "Requests sent again", "connector")
        self._limited = self._counter(
            "rate_limited_seconds", "Seconds waited for rate limits and retries", "connector"
        )
        self._failures = self._counter("failures", "Failed steps", "connector", "error")
        self._held = self._gauge("held_removals", "Removals held by the guard", "connector")
        self._quarantined = self._gauge("quarantined", "Records and changes refused for good")
        self._lag = self._gauge(
            "cursor_lag_seconds", "Age of the newest change known", "connector", "stream"
        )
        self._members = self._gauge("members", "Members of a segment", "segment")
        self._epoch = self._gauge("lock_epoch", "How often the daemon's lease changed hands")
        self._verified_at = self._gauge(
            "verified_timestamp_seconds", "When everything was last computed anew and compared"
        )
        self._differences = self._gauge(
            "verify_differences", "What was stored otherwise than it was computed then"
        )
        self._reloads = self._counter("reloads", "Reloads of the configuration", "result")

    def render(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self._registry)

    def cycle_ended(self, connector: str, seconds: float) -> None:
        """A cycle of a source (or ``due``), or a push, took so many seconds."""
        self._cycle.labels(connector).observe(seconds)

    def succeeded(self, connector: str) -> None:
        """A source was read, or a destination written, to the end."""
        self._last_success.labels(connector).set(self._clock().timestamp())

    def pulled(self, summary: PullSummary) -> None:
        """Count the records of a pull."""
        for stream in summary.streams:
            for result in ("written", "unchanged", "rejected", "removed"):
                self._records.labels(summary.source, result).inc(getattr(stream, result))

    def pushed(self, summary: PushSummary) -> None:
        """Count the changes of a push, which the guard did not hold."""
        for result in ("added", "removed", "rejected"):
            self._records.labels(summary.destination, result).inc(getattr(summary, result))
        self._held.labels(summary.destination).set(0)

    def held(self, destination: str, removals: int) -> None:
        """The guard holds a plan with so many removals."""
        self._held.labels(destination).set(removals)

    def failed(self, connector: str, error: Exception) -> None:
        """Count a failed step by the class of its error."""
        self._failures.labels(connector, type(error).__name__).inc()

    def traffic(self, connector: str, meter: Meter) -> None:
        """Take over what a connector's meter has counted since the last time."""
        with self._lock:
            before = self._seen.get(connector, Meter())
            self._seen[connector] = replace(meter)
        steps = (now - then for now, then in zip(astuple(meter), astuple(before), strict=True))
        requests, writes, retries, _waits, waited = steps
        self._requests.labels(connector, "read").inc(requests - writes)
        self._requests.labels(connector, "write").inc(writes)
        self._retries.labels(connector).inc(retries)
        self._limited.labels(connector).inc(waited)

    def quarantined(self, count: int) -> None:
        """So many records and changes are refused for good."""
        self._quarantined.set(count)

    def known_until(self, connector: str, stream: str, watermark: datetime) -> None:
        """Every change of a stream up to this instant is stored; the lag grows from there."""

        def lag() -> float:
            return max(0.0, (self._clock() - watermark).total_seconds())

        self._lag.labels(connector, stream).set_function(lag)

    def members(self, segment: str, count: int) -> None:
        """The size of a segment."""
        self._members.labels(segment).set(count)

    def keep_only(self, connectors: Collection[str], segments: Collection[str]) -> None:
        """Forget how things stand with what is configured no more; what was counted stays."""
        for gauge in (self._last_success, self._held, self._lag):
            _keep_only(gauge, connectors)
        _keep_only(self._members, segments)

    def lock_epoch(self, epoch: int) -> None:
        """The epoch of the daemon's own lease."""
        self._epoch.set(epoch)

    def verified(self, at: datetime, differences: int) -> None:
        """The store was last compared with a fresh computation."""
        self._verified_at.set(at.timestamp())
        self._differences.set(differences)

    def reloaded(self, *, well: bool) -> None:
        """The configuration was read again."""
        self._reloads.labels("ok" if well else "refused").inc()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"segmentd_{name}", text, labels, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"segmentd_{name}", text, labels, registry=self._registry)


def _keep_only(gauge: Gauge, names: Collection[str]) -> None:
    """Remove the series whose first label is none of ``names``."""
    for metric in gauge.collect():
        for sample in metric.samples:
            name, *others = sample.labels.values()
            if name not in names:
                gauge.remove(name, *others)
