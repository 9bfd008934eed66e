"""Where reading a stream stands, and which stretch of time to read next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

BACKFILL = ":backfill"
"""Behind the name of a stream: the key of a cursor that reads everything again."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of change times, both ends inclusive; ``since`` None means from the beginning."""

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """Progress in one stream of one source.

    ``watermark``: every change up to this instant is stored. ``window`` and ``position``: a window
    whose reading began but did not end, and the source's own token for the place reached in it.
    """

    watermark: datetime | None = None
    window: Window | None = None
    position: str | None = None

    def open(self, until: datetime, lag: timedelta) -> Cursor:
        """Resume an unfinished window as it was, else open the next one.

        The new window begins ``lag`` before the watermark, so that changes which became visible
        late are read again, and never ends before it. Where the server's clock is behind the
        watermark, one of both was wrong once: what is stamped by the clock of now is read too.
        """
        if self.window is not None:
            return self
        if self.watermark is None:
            return replace(self, window=Window(None, until), position=None)
        since = min(self.watermark, until) - lag
        return replace(self, window=Window(since, max(until, self.watermark)), position=None)

    def at(self, position: str | None) -> Cursor:
        """The same window, read up to ``position``."""
        return replace(self, position=position)

    def ended(self) -> Cursor:
        """The window was read to its end, and other streams of the same backfill are not."""
        if self.window is None:
            raise ValueError("no window is open")
        return replace(self, watermark=self.window.until, position=None)

    def close(self, clock: datetime) -> Cursor:
        """The window was read to its end: the watermark moves there, and never back.

        Nor does it pass ``clock``, what our own clock said when the reading began: a server that
        told a day too late once would let every change of that day go by unread.
        """
        if self.window is None:
            raise ValueError("no window is open")
        until = min(self.window.until, clock)
        if self.watermark is not None:
            until = max(until, self.watermark)
        return Cursor(watermark=until)
