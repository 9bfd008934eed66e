"""What the outside asks of the daemon by signals."""

from __future__ import annotations

import os
import queue
import signal
from types import FrameType

_END = {signal.SIGTERM, signal.SIGINT}


class Signals:
    """Hands signals to the main loop, one by one."""

    def __init__(self) -> None:
        # its put() may interrupt its own get() in the same thread, a lock or an Event may not
        self._received: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
        self._ending = False

    def install(self) -> None:
        """Take the signals over; to be called in the main thread, before the slow imports.

        A process 1 without handlers would ignore SIGTERM for its whole life.
        """
        for number in (*_END, signal.SIGHUP):
            signal.signal(number, self._handle)

    def wait(self, seconds: float) -> signal.Signals | None:
        """The next signal, or None if none comes for so long."""
        try:
            return self._received.get(timeout=seconds)
        except queue.Empty:
            return None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        received = signal.Signals(number)
        if received in _END:
            if self._ending:
                # who asks twice does not want to wait: nothing is lost, every batch is one
                # transaction
                os._exit(128 + number)
            self._ending = True
        self._received.put(received)
