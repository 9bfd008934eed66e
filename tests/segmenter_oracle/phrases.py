"""Conditions about a value of any kind, as random texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from segmentd.segmenter.fields import Field, Kind

UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
WHICH = ("LAST", "THIS", "NEXT")
_DAYS = ["today", "yesterday", "-1d", "-7d", "-30d", "-90d", "-1w", "-1m", "-3m", "-1y", "+1d"]
_FIXED = [
    "2026-03-29",
    "2026-10-25",
    "2025-12-31",
    "2024-02-29",
    "2026-06-30T23:00:00",
    "2026-03-29T01:30:00Z",
    "2025-12-31T12:00:00-05:00",
]
_EXACT = ["-24h", "-1h", "-30min", "-48h", "+1h"]
_OLD = ["7_days_ago", "12_months_ago", "2_weeks_ago", "1_years_ago"]
_BOUNDS = [
    f"{edge} OF {which} {unit}" for edge in ("START", "END") for which in WHICH for unit in UNITS
]
_SHIFTS = ["+1d", "-7d", "+2w", "+1m", "-1y", "+24h", "-30min"]
_COMPARED = ["=", "!=", ">", ">=", "<", "<=", "<>"]
_PATTERNS = ["CONTAINS", "STARTS WITH", "ENDS  WITH", "LIKE"]
_MODES = ["", "", "", " MATCHING CASE", " ignoring accents"]
_REGEXES = ["^sh", "o+e?$", "[A-C]cme|hat", "(red|vip)", "\\\\d+", "^[^a-m]", "brulee", "É"]
_MONEY = ["0", "5", "9.99", "10", "10.01", "50", "123.45", "-5"]
_RATIOS = ["0", "0.1", "50%", "1", "0.3333", "100%"]
_COUNTS = ["0", "1", "2", "3"]
_DAY_COUNTS = ["0", "1", "2", "7", "30", "90", "365"]
_NUMBERS = {
    "nth": ["1", "2", "-1", "-2", "3"],
    "month": ["1", "3", "7", "12"],
    "weekday": ["1", "3", "6", "7"],
    "hour": ["0", "11", "12", "23"],
    "gap": _DAY_COUNTS,
    "launch_age": _DAY_COUNTS,
    "items": ["0", "1", "2", "3", "5"],
    "average_days_between_orders": _DAY_COUNTS,
    "days_since": _DAY_COUNTS,
    "days_since_last_order": _DAY_COUNTS,
    "days_between": _DAY_COUNTS,
    "properties.seconds": ["0", "12.5", "60", "120"],
}
_WORDS = {
    "country": ["DE", "fr", "d%"],
    "last_order_country": ["DE", "fr", "d%"],
    "type": ["shoes", "Gift Card", "STRASSE"],
    "vendor": ["acme", "B", "éclair", "eclair"],
    "title": ["Hat", "h_t", "shoe", "%blue%", "creme BRULEE", "Crème%"],
    "tag": ["red", "SALE", "gift", "ete", "urgent"],
    "category": ["shoes", "headwear", "sale items", "dessert"],
    "discount_code": ["summer", "WINTER", "x", "none"],
    "channel": ["web", "pos", "42"],
    "app_id": ["web", "pos", "42"],
    "id": ["11", "12", "gid://shopify/Product/13"],
    "activity_id": ["7", "8"],
    "customer_email_domain": ["mail.example", "Mail.example", "shop", "%.example", "m_il%"],
    "customer_language": ["en", "EN", "e", "%"],
    "customer_postal_code": ["1", "10115", "9%", "AB 1", "___00"],
    "customer_tags": ["vip", "VIP", "wholesale", "O\\'Hara", "none"],
    "customer_countries": ["DE", "us", "AU"],
    "customer_regions": ["US-CA", "DE-BE"],
    "customer_cities": ["US-CA-LosAngeles", "DE-Berlin", "FR-Evry"],
    "customer_areas": ["EU", "europe", "Africa"],
    "properties.color": ["red", "Blue", "a=b"],
    "properties.id": ["11"],
    "properties.until": ["soon"],
    "metafields.facts.birth_date": ["1980-02-29"],
    "meta.loyalty_level": ["gold", "SILVER", "rausch"],
    "traits.age": ["18", "unknown"],
    "traits.club": ["TRUE"],
}


class Phrases:
    """What can be asked of a value.

    ``dates``, ``numbers``: other dates and numbers of the same customer, to compare with.
    """

    def __init__(
        self,
        chooser: random.Random,
        dates: Callable[[], str],
        numbers: Callable[[Kind], str] | None = None,
    ) -> None:
        self.random = chooser
        self._other_date = dates
        self._other_number = numbers

    def condition(self, subject: str, name: str, field: Field) -> str:
        """A condition about a subject; ``name``: the property that its values are of."""
        pick = self.random.random()
        if pick < 0.05:
            return f"{subject} IS {self.no()}NULL"
        if field.kind is Kind.DATE:
            return self.date(subject)
        if field.kind in {Kind.MONEY, Kind.COUNT, Kind.PLACE, Kind.RATIO}:
            return self.number(subject, name, field.kind)
        if field.kind is Kind.TRUTH:
            return f"{subject} {self.of('=', '!=')} {self.of('true', 'false')}"
        if field.kind is Kind.CHOICE:
            return self._among(subject, list(field.choices))
        if field.kind is Kind.ID:
            return self._identity(subject, _WORDS.get(name, ["1"]))
        if field.kind is Kind.ANY:
            return self._any(subject, name)
        return self.text(subject, _WORDS.get(name, ["x"]), field.kind)

    def of(self, *choices: str) -> str:
        return self.random.choice(choices)

    def no(self) -> str:
        return self.of("", "", "NOT ")

    def date(self, subject: str, others: float = 0.3) -> str:
        """``others``: how often it is compared with another date of the same customer."""
        one, other = self._reference(others), self._reference(others)
        fixed = [self.of(*_DAYS, *_FIXED, *_EXACT) for _ in range(2)]
        return self.of(
            f"{subject} {self.of(*_COMPARED)} {one}",
            f"{subject} {self.of(*_COMPARED)} {one}",
            f"{subject} {self.no()}BETWEEN {one} AND {other}",
            f"{subject} {self.no()}IN {self.of(*WHICH)} {self.of(*UNITS)}",
            f"{subject} {self.no()}IN ({', '.join(fixed)})",
        )

    def moving_date(self, subject: str) -> str:
        """A condition that time alone changes, by one edge after the other."""
        named = self.random.choice([*_DAYS, *_EXACT, *_OLD, *_BOUNDS])
        return self.of(
            f"{subject} {self.of(*_COMPARED)} {named}",
            f"{subject} {self.no()}IN {self.of(*WHICH)} {self.of(*UNITS)}",
        )

    def _reference(self, others: float) -> str:
        if self.random.random() < others:
            return f"{self._other_date()} {self.of('', '', *_SHIFTS)}"
        return self.random.choice(self.random.choice([_DAYS, _DAYS, _FIXED, _EXACT, _OLD, _BOUNDS]))

    def number(self, subject: str, name: str, kind: Kind) -> str:
        choices = self._numbers(name, kind)
        if self._other_number and self.random.random() < 0.4:
            return self._relative(subject, kind, choices)
        return self.of(
            f"{subject} {self.of(*_COMPARED)} {self.of(*choices)}",
            f"{subject} {self.of(*_COMPARED)} {self.of(*choices)}",
            f"{subject} {self.no()}BETWEEN {self.of(*choices)} AND {self.of(*choices)}",
            f"{subject} {self.no()}IN ({self.of(*choices)}, {self.of(*choices)})",
        )

    def _numbers(self, name: str, kind: Kind) -> Sequence[str]:
        if kind is Kind.MONEY:
            return _MONEY
        if kind is Kind.RATIO:
            return _RATIOS
        return _NUMBERS.get(name, _COUNTS)

    def _relative(self, subject: str, kind: Kind, choices: Sequence[str]) -> str:
        assert self._other_number
        other = self._other_number(kind)
        factor = self.of("", "", "2 * ", "0.5 * ", "1.25 * ")
        percent = self.of("10", "25.0", "60")
        return self.of(
            f"{subject} {self.of(*_COMPARED)} {factor}{other}",
            f"{subject} {self.of(*_COMPARED)} {factor}{self._statistic()}",
            f"{subject} {self.no()}BETWEEN {self.of(*choices)} AND {factor}{other}",
            f"{subject} {self.no()}BETWEEN {self._statistic()} AND 2 * {self._statistic()}",
            f"{subject} {self.no()}IN {self.of('TOP', 'bottom')} {percent}%",
        )

    def _statistic(self) -> str:
        return self.of(
            "STORE AVERAGE",
            "STORE MEDIAN",
            "store average +1 deviation",
            "STORE AVERAGE -0.5 DEVIATIONS",
            f"STORE PERCENTILE {self.of('0', '33.3', '75', '100')}",
        )

    def text(self, subject: str, choices: Sequence[str], kind: Kind) -> str:
        one, other = self.of(*choices), self.of(*choices)
        forms = [
            f"{subject} {self.no()}{self.of(*_PATTERNS)} '{one}'{self.of(*_MODES)}",
            f"{subject} {self.no()}{self.of(*_PATTERNS)} '{one}'{self.of(*_MODES)}",
            f"{subject} {self.no()}REGEX '{self.of(*_REGEXES)}'{self.of(*_MODES)}",
            f"{subject} {self.no()}CONTAINS {self.of('ANY', 'ALL', 'NONE')} ('{one}', '{other}')",
        ]
        if kind is not Kind.LIST:
            forms += [self._among(subject, choices)] * 2
        return self.of(*forms)

    def _among(self, subject: str, choices: Sequence[str]) -> str:
        one, other = self.of(*choices), self.of(*choices)
        return self.of(
            f"{subject} {self.of('=', '!=')} '{one}'",
            f"{subject} {self.no()}IN ('{one}', '{other}')",
        )

    def _identity(self, subject: str, choices: Sequence[str]) -> str:
        return self.of(
            self._among(subject, choices),
            f"{subject} {self.of('=', '!=')} {self.of('7', '11', '42')}",
            f"{subject} {self.no()}IN (12, '{self.of(*choices)}')",
        )

    def _any(self, subject: str, name: str) -> str:
        """What is written as a text is compared with whatever the rule compares it with."""
        numbers = _NUMBERS.get(name, ["0", "18", "40.5"])
        choices = _WORDS.get(name, ["x"])
        return self.of(
            self.text(subject, choices, Kind.TEXT),
            self.date(subject, others=0),
            f"{subject} {self.of(*_COMPARED)} {self.of(*numbers)}",
            f"{subject} {self.no()}BETWEEN {self.of(*numbers)} AND {self.of(*numbers)}",
            f"{subject} {self.no()}IN ({self.of(*numbers)}, {self.of(*numbers)})",
            f"{subject} {self.of('=', '!=')} {self.of('true', 'false')}",
        )


VOCABULARY: Mapping[str, Sequence[str]] = _WORDS
