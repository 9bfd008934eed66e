"""Texts that may or may not be rules, and what must come of every one of them."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fuzz.trees import SEGMENTS, Trees
from segmentd.domain.errors import RuleError
from segmentd.segmenter.check import check
from segmentd.segmenter.fields import FIELDS, FUNCTIONS
from segmentd.segmenter.language import Number
from segmentd.segmenter.parser import MAX_LENGTH, parse
from segmentd.segmenter.render import words
from segmentd.segmenter.spelling import text
from segmentd.segmenter.variables import bind

MAX_SECONDS = 1.0
"""Nobody waits longer for an answer about one rule."""
_VARIABLES: dict[str, Any] = {
    "loyal": parse("number_of_orders > $days"),
    "days": Number(Decimal(9)),
}
_KEYWORDS = [
    *("AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "MATCHES", "OF", "EVERY", "THEN", "ANY"),
    *("WITHIN", "WITHOUT", "MEMBER", "WAS", "FOR", "SINCE", "SAMPLE", "TO", "ENTERED", "LEFT"),
    *("STORE", "AVERAGE", "MEDIAN", "PERCENTILE", "DEVIATIONS", "TOP", "BOTTOM", "ALL", "NONE"),
    *("LAST", "THIS", "NEXT", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "START OF", "END OF"),
    *("CONTAINS", "STARTS WITH", "ENDS WITH", "LIKE", "REGEX", "MATCHING CASE", "ignoring accents"),
    *("today", "yesterday", "true", "FALSE", "segment", "events", "anniversary"),
]
_SIGNS = ["(", ")", ",", ":", "%", "*", "=", "!=", "<>", ">=", "<", "+", "-", ".", "'", "\\", "$"]
_VALUES = [
    *("1", "-3.50", "10%", "007", "9" * 17, "9" * 40, "1e9", "0x1F", "1_000", "NaN"),
    *("-90d", "+ 7d", "24h", "-30min", "0d", "7", "12_months_ago", "99999999_years_ago"),
    *("2026-01-31", "2026-02-30", "0000-00-00", "2026-01-31T10:00", "2026-01-31T25:61:00Z"),
    *("'VIP'", "''", "'it\\'s'", "'\\\\'", "'%_%'", "'(?=x)'", "'(a+)+$'", "'45.4,-75.7'", "$days"),
    *("$loyal", "-$days", "$at_risk_days", "-$at_risk_days", "$", "$9", "METAFIELDS.a.b", "a.b.c"),
]
_NAMES = [
    *FIELDS,
    *FUNCTIONS,
    *(name for function in FUNCTIONS.values() for name in function.properties),
    *("sum_amount", "count", "share", "top_share_tag", "first_date", "metafields.a.b", "meta.x"),
]
_TOKENS = [*_KEYWORDS, *_SIGNS * 3, *_VALUES, *_NAMES]
_STRANGE = [
    *("\0", "\x7f", "\x1b[0m", "\u00a0", "\u2028", "\u202e", "\ufeff", "\ud800", "\udfff"),
    *("\u0301", "\u0130", "\u00df", "\ufb01", "\U0001f469\u200d\U0001f680", "\u2018", "\u201c"),
    *("\u0663", "\uff11", "\u2265", "\u2013", "\r\n", "\t", "\v", "\f", "--", "/*", ";", "#", "`"),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one text."""

    accepted: bool
    seconds: float
    """CPU time."""


def attempt(rule: str) -> Outcome:
    """Try a text; AssertionError for anything but a rule or a RuleError with its place."""
    begun = time.process_time()
    try:
        tree = bind(parse(rule), _VARIABLES)
        check(tree, SEGMENTS)
    except RuleError as error:
        accepted, told = False, (error.line or 0) >= 1 and (error.column or 0) >= 1
    else:
        written = text(tree)  # escapes may have made it too long
        accepted, told = True, len(written) > MAX_LENGTH or parse(written) == tree
        assert words(tree, "EUR"), rule
    assert told, rule
    seconds = time.process_time() - begun
    assert seconds < MAX_SECONDS, (seconds, rule)
    return Outcome(accepted, seconds)


class Texts:
    """Makes texts up."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._trees = Trees(seed)
        self._kinds: tuple[Callable[[], str], ...] = (
            self._bytes,
            self._characters,
            self._soup,
            self._valid,
            self._mutated,
            self._mutated,
            self._spliced,
            self._deep,
            self._long,
        )

    def text(self) -> str:
        """One text of any kind, of at most a few characters more than are allowed."""
        return self._random.choice(self._kinds)()[: MAX_LENGTH + 5]

    def _bytes(self) -> str:
        raw = self._random.randbytes(self._random.randrange(60))
        return raw.decode("utf-8", self._random.choice(["surrogateescape", "replace"]))

    def _characters(self) -> str:
        count = self._random.randrange(40)
        return "".join(
            self._random.choice([chr(self._random.randrange(0x250)), *_STRANGE])
            for _ in range(count)
        )

    def _soup(self) -> str:
        tokens = self._random.choices(_TOKENS, k=self._random.randrange(1, 25))
        return self._random.choice([" ", " ", " ", "", "\n"]).join(tokens)

    def _valid(self) -> str:
        return text(self._trees.rule())

    def _mutated(self) -> str:
        """A rule with some of its tokens or characters changed."""
        parts = re.split(r"(\W)", self._valid())
        if self._random.random() < 0.2:
            parts = list("".join(parts))
        for _ in range(self._random.choice([1, 1, 2, 5])):
            self._mutate(parts)
        return "".join(parts)

    def _mutate(self, parts: list[str]) -> None:
        place = self._random.randrange(len(parts) + 1)
        pick = self._random.random()
        if pick < 0.3:
            del parts[place : place + self._random.choice([1, 1, 3])]
        elif pick < 0.7:
            parts[place : place + 1] = [self._random.choice(_TOKENS)]
        elif pick < 0.8:
            parts.insert(place, self._random.choice(_STRANGE))
        elif pick < 0.9:
            parts.insert(place, self._random.choice(parts or [""]))
        else:
            parts[place:] = reversed(parts[place:])

    def _spliced(self) -> str:
        """The beginning of one rule and the end of another."""
        first, second = self._valid(), self._valid()
        cut = self._random.randrange(len(first) + 1)
        return first[:cut] + second[self._random.randrange(len(second) + 1) :]

    def _deep(self) -> str:
        begin, end = self._random.choice(
            [
                ("(", ")"),
                ("NOT ", ""),
                ("NOT (", ")"),
                ("orders_placed MATCHES (", ")"),
                ("count OF orders_placed (date > last_date OF ", " (date > today)) > 1"),
                ("last_date OF orders_placed (date > ", ")"),
                ("$loyal AND (", ")"),
                ("amount_spent > 5 OR (segment('vip') AND ", ")"),
                ("orders_placed () THEN ", ""),
            ]
        )
        levels = self._random.choice([1, 8, 9, 63, 64, 65, 66, 500, 3_000])
        middle = self._random.choice(["number_of_orders = 1", "orders_placed ()", "date > today"])
        return begin * levels + middle + end * self._random.choice([levels, levels, levels - 1])

    def _long(self) -> str:
        """Up to the greatest length, of one thing again and again."""
        unit = self._random.choice([*_TOKENS, *_STRANGE, self._valid() + " AND ", "' OR '", "((("])
        body = self._random.choice(["", " "]).join([unit] * (MAX_LENGTH // (len(unit) + 1)))
        wrap = self._random.choice(
            [
                "{}",
                "customer_language = '{}'",
                "customer_language REGEX '{}'",
                "customer_language LIKE '{}'",
                "customer_tags CONTAINS ANY ({})",
                "orders_placed MATCHES ({})",
                "amount_spent > {}",
                "metafields.{}.x = 1",
            ]
        )
        return wrap.format(body[: self._random.choice([100, 2_000, MAX_LENGTH - 40])])
