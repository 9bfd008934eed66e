"""Works on the facts of ranges of profiles on the workers of a Dask cluster. The only home of Dask.

Each worker reads its ranges from PostgreSQL by itself; the cluster carries rules there and
outcomes back, and no facts.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.engine import URL, make_url

from segmentd import __version__
from segmentd.domain.errors import ConfigError, TransientError
from segmentd.sdk.settings import Secret

try:
    import distributed
    from distributed.client import ClosedClientError, FutureCancelledError
except ImportError as error:
    raise ConfigError(
        "Dask is not installed here", hint='python -m pip install "segmentd[dask]"'
    ) from error

if TYPE_CHECKING:
    from segmentd.segmenter.frames import Frames

T = TypeVar("T")
Range = tuple[int, int]

ANSWER_SECONDS = 10.0
"""How long to wait for the scheduler, and for a worker where there is none."""
AHEAD = 2
"""Ranges handed out for each thread of a worker: one in work, and one that follows at once."""


class DaskWorkers:
    """A connection to a Dask scheduler, kept until ``close``."""

    def __init__(self, url: URL, scheduler: str) -> None:
        """Connect; ConfigError for a store that workers cannot reach, or workers without this
        version of segmentd; TransientError if the scheduler does not answer or has no worker."""
        if url.drivername == "sqlite":
            raise ConfigError(
                "the workers of a Dask cluster cannot read a SQLite file: keep the store in "
                "PostgreSQL, or leave --engine dask out"
            )
        # as a secret: a worker logs the arguments of a task that failed
        self._url = Secret(url.render_as_string(hide_password=False))
        self._scheduler = scheduler
        self._client = _connected(scheduler)
        try:
            self._ahead = AHEAD * _threads(self._client, scheduler)
        except BaseException:
            self.close()
            raise

    def over(
        self, ranges: Sequence[Range], needs: frozenset[str], work: Callable[[Frames], T]
    ) -> Iterator[T]:
        """What comes of each range, in their order; a few at a time are in work or waiting.

        The ranges of a worker that dies are done by the others. TransientError if none is left, and
        if the scheduler answers no more.
        """
        waiting: deque[distributed.Future[T]] = deque()
        try:
            for each in ranges:
                # not pure: the same range tells something else the next time
                waiting.append(self._client.submit(_work, self._url, each, needs, work, pure=False))
                if len(waiting) >= self._ahead:
                    yield self._outcome(waiting.popleft())
            while waiting:
                yield self._outcome(waiting.popleft())
        except (
            distributed.KilledWorker,
            FutureCancelledError,
            ClosedClientError,
            OSError,
        ) as error:
            raise TransientError(
                f"the Dask cluster at {self._scheduler} lost its workers before their work was done"
            ) from error
        finally:
            with suppress(ClosedClientError):
                for future in waiting:
                    future.cancel()

    def close(self) -> None:
        """Let go of the scheduler; its workers stay."""
        self._client.close()

    def _outcome(self, future: distributed.Future[T]) -> T:
        """Dask itself waits for ever: for another worker, and for a scheduler that says nothing."""
        alone = False
        while True:
            try:
                return future.result(timeout=ANSWER_SECONDS)
            except TimeoutError:
                if future.status == "error":
                    raise
            threads = self._threads()
            if alone and not threads:
                raise TransientError(
                    f"no worker is left at the Dask scheduler at {self._scheduler}",
                    hint=f"dask worker {self._scheduler}",
                )
            alone = not threads

    def _threads(self) -> dict[str, int]:
        """Of each worker."""
        try:
            threads: dict[str, int] = self._client.nthreads(callback_timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            raise TransientError(
                f"the Dask scheduler at {self._scheduler} answers no more",
                hint="dask scheduler --port 8786",
            ) from error
        return threads


def _connected(scheduler: str) -> distributed.Client:
    # it tells of every lost connection, with tracebacks; our errors tell what it means
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return distributed.Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except ValueError as error:
        raise ConfigError(
            f"--scheduler {scheduler} is no address; write for example tcp://127.0.0.1:8786"
        ) from error
    except OSError as error:
        raise TransientError(
            f"no Dask scheduler answers at {scheduler}", hint="dask scheduler --port 8786"
        ) from error


def _threads(client: distributed.Client, scheduler: str) -> int:
    """How many threads the workers have, all of which know what we know."""
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError as error:
        raise TransientError(
            f"no worker has joined the Dask scheduler at {scheduler}",
            hint=f"dask worker {scheduler}",
        ) from error

    def of_segmentd() -> str:
        # inside, so that it is sent as it is: a worker that cannot import what it is sent ends
        from importlib.metadata import version

        return version("segmentd")

    for worker, version in client.run(of_segmentd, on_error="return").items():
        if version != __version__:
            has = f"segmentd {version}" if isinstance(version, str) else "no segmentd"
            raise ConfigError(
                f"the Dask worker {worker} has {has}, this is {__version__}: "
                "install the same on both sides"
            )
    threads: dict[str, int] = client.nthreads()
    return max(1, sum(threads.values()))


def _work(url: Secret, each: Range, needs: frozenset[str], work: Callable[[Frames], T]) -> T:
    """Runs in a worker, whose threads cannot share a connection."""
    from segmentd.store.arrow import RangeFacts
    from segmentd.store.engine import adbc_address, place

    address = make_url(url.reveal())
    found = f"{place(address)}, which Dask workers find by the same store.url,"
    with closing(RangeFacts(adbc_address(address), found)) as facts:
        return work(facts.read(*each, needs))
