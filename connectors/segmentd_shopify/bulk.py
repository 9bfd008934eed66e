"""Bulk operations: a job at Shopify that runs one query over all rows into a file.

https://shopify.dev/docs/api/usage/bulk-operations/queries. We never cancel one: a stop of ours is
followed by a start that reads the same job on, it takes no points, and it ends by itself.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

from segmentd.sdk import (
    AuthError,
    Batch,
    ConfigError,
    HttpClient,
    RejectedError,
    Runtime,
    TransientError,
    classify_range,
    read_lines,
)
from segmentd.sdk.retry import DEFAULT_POLICY, call
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.errors import TokenError
from segmentd_shopify.join import BEGINNING, Place, parse
from segmentd_shopify.mapping import gid, number
from segmentd_shopify.operations import BULK_LIST, BULK_RUN, BULK_STATE

_ACTIVE = {"CREATED", "RUNNING", "CANCELING"}
_NO_PLACE = {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}
_FIRST_LOOK = 1.0
"""Seconds; small jobs end within two."""
_LONGEST_LOOK = 30.0
_PATIENCE = 3600.0
"""Seconds without another row, or without a place for our job, after which we give up for now."""
_TRIES_FOR_THE_REST = 3
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_POSITION = re.compile(r"bulk:(\d+):(\d+|-):(\d+):(\d+)(:short)?")


class BulkFailed(Exception):  # noqa: N818 - an outcome, not an error of the program
    """A job brings nothing (any more). ``final``: another one would not either."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class ShortFileError(TransientError):
    """Lines are missing at the end of a file, however often it is asked for."""


@dataclass(frozen=True)
class Position:
    """Where the reading of a bulk operation stands; a cursor of pages never looks like it."""

    attempt: int = 1
    """How many jobs there were for this window, this one included."""
    job: str | None = None
    """Its number; None before it was begun."""
    place: Place = BEGINNING
    short: bool = False
    """The job's file ended too early before."""

    def __str__(self) -> str:
        short = ":short" if self.short else ""
        return f"bulk:{self.attempt}:{self.job or '-'}:{self.place.byte}:{self.place.line}{short}"

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The position that ``str`` wrote; None for any other text."""
        match = _POSITION.fullmatch(text or "")
        if match is None:
            return None
        attempt, job, byte, line, short = match.groups()
        place = Place(int(byte), int(line))
        return cls(int(attempt), None if job == "-" else job, place, short is not None)


@dataclass(frozen=True)
class Job:
    """What Shopify says about a job."""

    number: str
    status: str
    error: str | None
    objects: int
    """Lines that it has written so far."""
    url: str | None


class Bulk:
    """Begins jobs, waits for them, reads their files."""

    def __init__(self, client: ShopifyClient, runtime: Runtime) -> None:
        self._client = client
        self._runtime = runtime

    def finished(
        self, query: str, position: Position, *, grouped: bool
    ) -> Generator[Batch, None, tuple[Position, Job]]:
        """The job of ``position``, or a new one, once it has ended well.

        Yields empty batches meanwhile, so that the core stores where we are and sees us alive.
        Raises BulkFailed; TransientError if it takes too long.
        """
        if position.job is None:
            begun = yield from self._begun(query, position, grouped=grouped)
            position = replace(position, job=begun)
            yield Batch([], str(position))
        job = yield from self._ended(position)
        if job.status != "COMPLETED":
            reason = f"the bulk operation {job.number} ended as {job.status} ({job.error})"
            raise BulkFailed(reason, final=job.error == "ACCESS_DENIED")
        if job.url is None and job.objects:
            # only a job without rows has no file: else it was lost, or its seven days are over
            raise BulkFailed(f"the bulk operation {job.number} has rows, but no file")
        return position, job

    def lines(self, job: Job, place: Place) -> Iterator[list[bytes]]:
        """The lines of the job's file from ``place`` on, some at a time, empty ones too.

        Raises BulkFailed if the file cannot be had; ShortFileError if it came shorter than it is.
        """
        if job.url is None:
            return
        origin, path = _split(job.url)
        patience = _Patience(self._runtime)
        with closing(HttpClient(origin, self._runtime, classify=classify_range)) as http:
            for _ in range(_TRIES_FOR_THE_REST):
                for lines, behind in self._rest(http, path, place):
                    place = behind
                    yield lines
                if place.line >= job.objects:
                    return
                patience.wait()
        raise ShortFileError(
            f"Shopify's file of the bulk operation {job.number} ends after {place.line} of "
            f"{job.objects} lines",
            hint="run the same command again: it goes on from there",
        )

    def _rest(
        self, http: HttpClient, path: str, place: Place
    ) -> Iterator[tuple[list[bytes], Place]]:
        count = place.line
        try:
            for byte, lines in read_lines(http, path, self._runtime, _is_object, place.byte):
                count += len(lines) - lines.count(b"")
                yield lines, Place(byte, count)
        except (AuthError, RejectedError) as error:
            # 403: signed addresses are good for a week
            raise BulkFailed(str(error)) from error
        except ConfigError as error:
            raise BulkFailed(str(error), final=True) from error

    def _begun(
        self, query: str, position: Position, *, grouped: bool
    ) -> Generator[Batch, None, str]:
        """The number of a new job; waits while others of our app take all places."""
        patience = _Patience(self._runtime)
        while True:
            found = call(lambda: self._begin(query, grouped), DEFAULT_POLICY, self._runtime)
            if isinstance(found, str):
                return found
            if patience.is_over():
                raise TransientError(
                    f"Shopify runs no further bulk operation for this app: {found.reason}",
                    hint="run the same command again when they have ended",
                )
            patience.wait()
            yield Batch([], None if position.attempt == 1 else str(position))

    def _begin(self, query: str, grouped: bool) -> str | _NoPlace:
        """Run the query, unless it runs already: the answer to an earlier try may be lost."""
        jobs = self._client.execute(BULK_LIST, {}, retry=False)["bulkOperations"]
        for node in jobs["nodes"]:
            if node["status"] in _ACTIVE and node["query"].split() == query.split():
                return number(node["id"])
        variables = {"query": query, "grouped": grouped}
        try:
            answer = self._client.execute(BULK_RUN, variables, retry=False)
        except TokenError:
            raise
        except AuthError as error:
            # pages may be allowed; if not, they say what is missing
            raise BulkFailed(str(error), final=True) from error
        return _judged(answer["bulkOperationRunQuery"])

    def _ended(self, position: Position) -> Generator[Batch, None, Job]:
        seen, patience = -1, _Patience(self._runtime)
        while True:
            job = self._look(position.job or "")
            if job.status not in _ACTIVE:
                return job
            if job.objects > seen:
                seen = job.objects
                patience.renew()
            if patience.is_over():
                raise TransientError(
                    f"Shopify's bulk operation {job.number} has not got on for an hour; "
                    f"it is {job.status} with {job.objects} rows",
                    hint="run the same command again: it goes on with this operation",
                )
            patience.wait()
            yield Batch([], str(position))

    def _look(self, job: str) -> Job:
        found = self._client.execute(BULK_STATE, {"id": gid("BulkOperation", job)})["bulkOperation"]
        if found is None:
            raise BulkFailed(f"Shopify knows no bulk operation {job}")
        objects = int(found["objectCount"])
        return Job(job, found["status"], found["errorCode"], objects, found["url"])


class _Patience:
    """Waits that grow, until nothing has happened for too long."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seconds = _FIRST_LOOK
        self.renew()

    def renew(self) -> None:
        """Something happened."""
        self._since = self._runtime.monotonic()

    def is_over(self) -> bool:
        """Whether it is too long ago."""
        return self._runtime.monotonic() - self._since > _PATIENCE

    def wait(self) -> None:
        """Wait, longer than the last time."""
        self._runtime.meter.waits += 1
        self._runtime.meter.waited += self._seconds
        self._runtime.sleep(self._seconds)
        self._seconds = min(_LONGEST_LOOK, self._seconds * 1.5)


@dataclass(frozen=True)
class _NoPlace:
    """Other jobs of our app take all places; the reason names them."""

    reason: str


def _judged(answer: Mapping[str, Any] | None) -> str | _NoPlace:
    """The number of the job begun."""
    if answer is None:
        raise TransientError("Shopify answered without a bulk operation")
    for error in answer["userErrors"]:
        reason = f"{error['message']!s:.300}"
        if error["code"] in _NO_PLACE:
            return _NoPlace(reason)
        raise BulkFailed(f"Shopify does not run our bulk operation: {reason}", final=True)
    return number(answer["bulkOperation"]["id"])


def _split(url: str) -> tuple[str, str]:
    """Where a file is, and its path there with the query that is its key.

    Only over a connection that nobody can read or change: the file holds personal data.
    """
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe:
        raise BulkFailed(f"the file is at {parts.scheme}://{parts.hostname}", final=True)
    return f"{parts.scheme}://{parts.netloc}", f"{parts.path}?{parts.query}"


def _is_object(line: bytes) -> bool:
    return parse(line) is not None
