"""Bulk operations: jobs that run a query over all rows and leave a file with a line for each.

https://shopify.dev/docs/api/usage/bulk-operations/queries. Time makes them go on: CREATED for a
second, RUNNING for a while, then what ``Jobs.script`` says, COMPLETED unless told otherwise.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock

JobError = tuple[list[str] | None, str, str]
"""Field, message and code of a ``BulkOperationUserError``."""
MOST_AT_ONCE = 5
"""Jobs of one app in one shop, since API version 2026-01."""
GOOD_FOR = timedelta(days=7)
"""How long a file can be had."""
RUNS_AFTER = timedelta(seconds=1)
_ROOTS_TOGETHER = 50
"""Without ``groupObjects`` so many parents come before the first child of one of them."""
_FILE = re.compile(r"/bulk-operation-outputs/(\d+)(-partial)?")
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass(frozen=True)
class Ending:
    """How a job ends, and what its file is like; for ``Jobs.script``."""

    status: str = "COMPLETED"
    error_code: str | None = None
    share: float = 1.0
    """Of the lines: what a job did that ended early."""
    lost: bool = False
    """It completes, but there is no file."""
    reorder: Callable[[list[bytes]], Sequence[bytes]] = list
    """The lines as they stand in the file."""


@dataclass
class Job:
    """A bulk operation that runs a query."""

    number: int
    query: str
    version: str
    grouped: bool
    created_at: datetime
    ending: Ending
    status: str = "CREATED"
    error_code: str | None = None
    ends_at: datetime | None = None
    completed_at: datetime | None = None
    objects: int = 0
    roots: int = 0
    file: bytes = field(default=b"", repr=False)
    url: str | None = None
    partial_url: str | None = None
    lines: list[bytes] = field(default_factory=list, repr=False)

    @property
    def active(self) -> bool:
        """Whether it takes one of the places for jobs at once."""
        return self.status in {"CREATED", "RUNNING", "CANCELING"}


class Refusal(Exception):  # noqa: N818 - an outcome of a job
    """The query of a job cannot be answered; the text is the job's error code."""


Run = Callable[[Job], dict[str, Any]]
"""Answers a job's query with all rows; raises Refusal."""


class Jobs:
    """The bulk operations of one app in one shop.

    ``script``: how the next jobs end, first in first out. ``packed``: files are sent packed to who
    takes that. ``origin``: where files are served.
    """

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._jobs: dict[int, Job] = {}
        self.script: list[Ending] = []
        self._seconds = 1.0
        self._still = False
        self.packed = False
        self.origin = "https://storage.example"

    def slow(self, seconds: float, *, still: bool = False) -> None:
        """From now on a job runs for so long; ``still``: and its rows are not seen before."""
        self._seconds, self._still = seconds, still

    def all(self) -> list[Job]:
        """Oldest first."""
        return list(self._jobs.values())

    def find(self, number: int) -> Job | None:
        """The job of a number."""
        return self._jobs.get(number)

    def run(self, query: str, version: str, *, grouped: bool) -> tuple[Job | None, list[JobError]]:
        """Begin a job, unless too many run already."""
        running = [f"gid://shopify/BulkOperation/{job.number}" for job in self.all() if job.active]
        if len(running) >= MOST_AT_ONCE:
            message = (
                "A bulk query operation for this app and shop is already in progress: "
                f"{', '.join(running)}."
            )
            return None, [(None, message, "OPERATION_IN_PROGRESS")]
        ending = self.script.pop(0) if self.script else Ending()
        number = 8_001_977_286_900 + len(self._jobs)
        job = Job(number, query, version, grouped, self._clock.now(), ending)
        self._jobs[number] = job
        return job, []

    def cancel(self, job: Job) -> str | None:
        """Stop a job; the message of the refusal if it has ended already."""
        if not job.active:
            return f"A bulk operation cannot be canceled when it is {job.status.lower()}"
        job.status, job.ending = "CANCELING", Ending("CANCELED")
        job.ends_at = self._clock.now()
        return None

    def advance(self, run: Run) -> None:
        """Bring every job to where it is by now."""
        now = self._clock.now()
        for job in self.all():
            if job.status == "CREATED" and now >= job.created_at + RUNS_AFTER:
                self._begin(job, run)
            elif job.active and job.ends_at is not None and now >= job.ends_at:
                self._end(job)
            elif job.status == "RUNNING" and job.ends_at is not None and not self._still:
                left = (job.ends_at - now).total_seconds() / self._seconds
                job.objects = round(len(job.lines) * (1 - min(1.0, left)))
            elif job.url is not None and now >= _expiry(job):
                job.status, job.url = "EXPIRED", None

    def _begin(self, job: Job, run: Run) -> None:
        job.status = "RUNNING"
        try:
            job.lines, job.roots = _lines(run(job), grouped=job.grouped)
        except Refusal as refusal:
            job.ending = Ending("FAILED", str(refusal), share=0.0)
        lines = list(job.ending.reorder(job.lines))
        job.lines = lines[: round(len(lines) * job.ending.share)]
        job.ends_at = self._clock.now() + timedelta(seconds=self._seconds)

    def _end(self, job: Job) -> None:
        job.status, job.error_code = job.ending.status, job.ending.error_code
        job.objects = len(job.lines)
        job.file = b"".join(line + b"\n" for line in job.lines)
        if job.status == "COMPLETED":
            job.completed_at = self._clock.now()
        if job.file and not job.ending.lost:
            url = f"{self.origin}/bulk-operation-outputs/{job.number}"
            if job.status == "COMPLETED":
                expires = int(_expiry(job).timestamp())
                job.url = f"{url}?Expires={expires}&Signature={_signature(job)}%3D"
            else:
                job.partial_url = f"{url}-partial?Signature={_signature(job)}%3D"

    def serve(self, request: Request) -> Response | None:
        """A file of a job, or a part of it; None for another address."""
        match = _FILE.fullmatch(request.path)
        job = self.find(int(match[1])) if match else None
        if job is None:
            return None
        if "x-shopify-access-token" in request.headers:
            return Response(400, {"content-type": "text/plain"}, b"This is not Shopify.")
        if request.query.get("Signature") != f"{_signature(job)}=" or job.status == "EXPIRED":
            error = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"
            return Response(403, {"content-type": "application/xml"}, error)
        return _part(job.file, request.headers, packed=self.packed)


def _expiry(job: Job) -> datetime:
    assert job.completed_at is not None  # noqa: S101 - it has a file
    return job.completed_at + GOOD_FOR


def _signature(job: Job) -> str:
    return hashlib.sha256(str(job.number).encode()).hexdigest()[:16]


def _part(file: bytes, headers: Mapping[str, str], *, packed: bool) -> Response:
    kind = {"content-type": "application/jsonl", "accept-ranges": "bytes"}
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked and int(asked[1]) >= len(file):
        return Response(416, {"content-range": f"bytes */{len(file)}"})
    if asked:
        start = int(asked[1])
        place = {"content-range": f"bytes {start}-{len(file) - 1}/{len(file)}"}
        return Response(206, {**kind, **place}, file[start:])
    if packed and "gzip" in headers.get("accept-encoding", ""):
        return Response(200, {**kind, "content-encoding": "gzip"}, gzip.compress(file, 1))
    return Response(200, kind, file)


def _lines(data: dict[str, Any], *, grouped: bool) -> tuple[list[bytes], int]:
    """The answer to a job's query as lines, and how many of them are roots."""
    [connection] = data.values()
    families = [list(_family(edge["node"], None)) for edge in connection["edges"]]
    lines: list[bytes] = []
    together = 1 if grouped else _ROOTS_TOGETHER
    for start in range(0, len(families), together):
        some = families[start : start + together]
        lines += [family[0] for family in some]
        lines += [line for family in some for line in family[1:]]
    return lines, len(families)


def _family(node: dict[str, Any], parent: str | None) -> Iterator[bytes]:
    """A node's line, then those of its children."""
    connections = [
        node.pop(key) for key, value in list(node.items())
        if isinstance(value, dict) and "edges" in value
    ]  # fmt: skip
    if parent is not None:
        node["__parentId"] = parent
    # the real files escape slashes
    yield orjson.dumps(node).replace(b"/", b"\\/")
    for connection in connections:
        for edge in connection["edges"]:
            yield from _family(edge["node"], node["id"])
