"""The computer below a store: how long it takes, and what is too much for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_LIGHT = frozenset({"id", "date_modified_gmt", "date_created_gmt", "status"})


class CrashError(Exception):
    """PHP ends in the middle of an answer."""


@dataclass
class Host:
    """Takes no time and bears everything unless told otherwise.

    Measured (2 cores, WooCommerce 10.5): ``start`` 0.12, ``record`` 0.005 for customers and 0.01
    for orders; light ones a quarter of that. Shared hosts are slower.
    """

    start: float = 0.0
    """Seconds of every answer: WordPress itself."""
    record: float = 0.0
    """Seconds for each record that is shown."""
    memory: int | None = None
    """Records that fit into PHP's memory at once; light ones take no room."""
    patience: float | None = None
    """Seconds after which the web server gives up waiting for PHP (504)."""
    crashing: set[tuple[str, int]] = field(default_factory=set)
    """Kind and id of records at which a plugin crashes, whatever of them is asked for."""
    too_large: set[tuple[str, int]] = field(default_factory=set)
    """Kind and id of records that do not fit into the memory, unless few fields are asked for."""
    spent: float = 0.0
    """Seconds that the answer being made has taken."""

    def begin(self) -> None:
        """A request comes."""
        self.spent = self.start

    def show(self, kind: str, ids: Iterable[int], fields: str | None) -> None:
        """Make records for an answer; CrashError if it cannot."""
        shown = {(kind, id_) for id_ in ids}
        light = fields is not None and {name.strip() for name in fields.split(",")} <= _LIGHT
        self.spent += len(shown) * self.record * (0.25 if light else 1)
        if shown & self.crashing:
            raise CrashError
        full = set() if light else shown
        if full & self.too_large or (self.memory is not None and len(full) > self.memory):
            raise CrashError

    @property
    def is_too_slow(self) -> bool:
        """Whether the web server gave up; what was to be done is done all the same."""
        return self.patience is not None and self.spent > self.patience
