"""What real purchase histories are expected to give at the beginnings of twelve months.

Computed elsewhere (DuckDB and Polars agreed). The second history may not be copied: it is there
where ``SEGMENTD_DATA`` names the folder that holds it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from expected_rules import CDNOW_RULES, RETAIL_RULES
from segmentd.demo.history import CDNOW


class Month(NamedTuple):
    """Members at the beginning of a month; who came and went since the one before."""

    at: str
    size: int
    digest: str
    entered: int | None
    """None at the first."""
    left: int | None
    stayed: int | None
    entered_digest: str | None
    left_digest: str | None

    @classmethod
    def of(cls, at: str, before: set[str] | None, now: set[str]) -> Month:
        """What was found; ``before``: a month ago."""
        moved: Sequence[Any] = (None,) * 5
        if before is not None:
            came, went = now - before, before - now
            moved = (len(came), len(went), len(now & before), digest(came), digest(went))
        return cls(at, len(now), digest(now), *moved)


@dataclass(frozen=True)
class Book:
    """A history, and what is expected of it."""

    folder: Path
    currency: str
    rules: Mapping[str, str]
    months: Mapping[str, Sequence[Month]]

    @property
    def dates(self) -> list[str]:
        """The beginnings of the months."""
        return [month.at for month in next(iter(self.months.values()))]


def books() -> list[Book]:
    """Those that are here."""
    own = json.loads(Path(__file__).with_name("expected_months_cdnow.json").read_text("utf-8"))
    months = {name: [Month(*row) for row in rows] for name, rows in own.items()}
    found = [Book(CDNOW, "USD", _chosen(CDNOW_RULES, months), months)]
    if "SEGMENTD_DATA" in os.environ:
        data = Path(os.environ["SEGMENTD_DATA"])
        rules = json.loads((data / "expected/rules_online_retail_a.json").read_text("utf-8"))
        months = {name: [_month(m) for m in r["months"]] for name, r in rules["rules"].items()}
        rules_ = _chosen(RETAIL_RULES, months)
        found.append(Book(data / "online_retail_a", "GBP", rules_, months))
    return found


def instant(date: str) -> datetime:
    """The beginning of a day."""
    return datetime.fromisoformat(date).replace(tzinfo=UTC)


def named(email: str | None) -> str:
    """The id of a customer in the files; the shop's own is a number."""
    assert email is not None
    return email.removeprefix("c").partition("@")[0]


def digest(customer_ids: Iterable[str]) -> str:
    """The SHA-256 of the sorted ids, one a line."""
    return hashlib.sha256("\n".join(sorted(customer_ids)).encode()).hexdigest()


def _chosen(rules: Mapping[str, str], months: Mapping[str, object]) -> dict[str, str]:
    return {name: rules[name] for name in months}


def _month(row: Mapping[str, Any]) -> Month:
    keys = ("entered", "left", "stayed", "entered_sha256", "left_sha256")
    return Month(row["as_of"], row["count"], row["sha256"], *(row.get(key) for key in keys))
