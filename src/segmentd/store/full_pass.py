"""Works on the facts of ranges of profiles in processes, each with a connection of its own.

Workers are spawned, never forked: SQLite forbids to carry connections over a fork
(sqlite.org/howtocorrupt.html, 2.6), and they alone may load the ADBC driver (see ``arrow``).
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from segmentd.domain.errors import TransientError
from segmentd.store import cpus
from segmentd.store.memory import give_back

if TYPE_CHECKING:
    from segmentd.segmenter.frames import Frames
    from segmentd.store.arrow import RangeFacts

T = TypeVar("T")
Range = tuple[int, int]

_facts: RangeFacts | None = None
"""The connection of this worker process."""


class Workers:
    """Worker processes, started when first needed and kept until ``close``: a pass looks
    at everybody twice or more, and starting them takes as long as a hundred thousand profiles."""

    def __init__(self, address: str, place: str) -> None:
        """``address``: see ``engine.adbc_address``; ``place``: the database as errors call it."""
        self._address = address
        self._place = place
        self._executor: ProcessPoolExecutor | None = None

    def over(
        self, ranges: Sequence[Range], needs: frozenset[str], work: Callable[[Frames], T]
    ) -> Iterator[T]:
        """What comes of each range, in their order; a few at a time are in work or waiting."""
        count = cpus.usable()
        executor = self._started(count)
        waiting: deque[Future[T]] = deque()
        try:
            for each in ranges:
                waiting.append(executor.submit(_work, each, needs, work))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            self.close()
            raise TransientError("a worker process ended before its work was done") from error
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the processes; their memory goes back to the system."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _started(self, count: int) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                count,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._address, self._place),
            )
        return self._executor


def _begin(address: str, place: str) -> None:
    import pandas as pd

    from segmentd.store.arrow import RangeFacts

    global _facts
    # what comes back is read by a process that may have no pyarrow (see cli.run)
    pd.set_option("mode.string_storage", "python")
    # Ctrl-C reaches the whole group; the main process ends its workers itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # what was imported stays, and need not be looked through
    gc.freeze()
    _facts = RangeFacts(address, place)
    atexit.register(_facts.close)


def _end_with_parent() -> None:
    """A main process that is killed cannot end its workers, and they would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(each: Range, needs: frozenset[str], work: Callable[[Frames], T]) -> T:
    assert _facts is not None  # noqa: S101 - set by the initializer of this process
    try:
        return work(_facts.read(*each, needs))
    finally:
        # the parts of an evaluation know each other: without a look for such circles the facts of
        # range after range would stay
        gc.collect()
        give_back()
