"""A segment as configured: its rule and where its members are pushed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PushTo:
    """One destination of a segment, and the name (tag or list) that its members get there."""

    destination: str
    name: str
    restore: bool = False
    """Put a tag back that a person took off by hand."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; ``key`` is its table name in the configuration."""

    key: str
    title: str
    where: str
    push: tuple[PushTo, ...] = ()
    terms: str = ""
    """What the words of the rule depend on: the shop's time zone and currency."""

    @property
    def version(self) -> str:
        """Changes exactly when the rule's text or its terms change."""
        return hashlib.sha256(f"{self.terms}\n{self.where}".encode()).hexdigest()[:16]
