"""The search index of one resource: sorted, later than the records, paged by cursors."""

from __future__ import annotations

import base64
import binascii
import heapq
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

import orjson

Key = tuple[int, int]
"""(value of the sort field, numeric id); ties are broken by id."""


class BadCursor(Exception):  # noqa: N818 - an answer of the API
    """The cursor does not belong to this list."""


@dataclass
class Index:
    """Numeric id → epoch seconds by which the resource is searched, visible after a while."""

    visible: dict[int, int] = field(default_factory=dict)
    _coming: list[tuple[float, int, int]] = field(default_factory=list)
    _sorted: list[Key] | None = None

    def put(self, record_id: int, value: int, visible_at: float) -> None:
        """From ``visible_at`` (epoch seconds) on, searching finds the record at ``value``."""
        heapq.heappush(self._coming, (visible_at, record_id, value))

    def remove(self, record_id: int) -> None:
        """Searching finds it no longer."""
        self.visible.pop(record_id, None)
        self._coming = [entry for entry in self._coming if entry[1] != record_id]
        heapq.heapify(self._coming)
        self._sorted = None

    def keys(self, now: float) -> list[Key]:
        """Everything visible by ``now``, in order."""
        while self._coming and self._coming[0][0] <= now:
            _, record_id, value = heapq.heappop(self._coming)
            self.visible[record_id] = value
            self._sorted = None
        if self._sorted is None:
            self._sorted = sorted((value, record_id) for record_id, value in self.visible.items())
        return self._sorted


def between(keys: list[Key], low: int | None, high: int | None, after: Key | None) -> list[Key]:
    """The stretch of sorted ``keys`` within inclusive limits, behind ``after``."""
    start = 0 if low is None else bisect_left(keys, (low, 0))
    if after is not None:
        start = max(start, bisect_right(keys, after))
    end = len(keys) if high is None else bisect_right(keys, (high, 2**63))
    return keys[start:end]


def encode(record_id: int, value: int | str) -> str:
    """A cursor; for instants ``value`` is in milliseconds."""
    return base64.b64encode(orjson.dumps({"last_id": record_id, "last_value": value})).decode()


def decode(cursor: str) -> dict[str, Any]:
    """``last_id`` and ``last_value`` of a cursor; BadCursor if it is none."""
    try:
        content = orjson.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not isinstance(content, dict) or not isinstance(content.get("last_id"), int):
        raise BadCursor
    return content
