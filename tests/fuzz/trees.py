"""Random rules as trees: everything that the check accepts, from the catalogue of names."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

from segmentd.segmenter.fields import FIELDS, FUNCTIONS, NUMERIC, Field, Function, Kind, find_field
from segmentd.segmenter.language import (
    COMPARISONS,
    PATTERNS,
    QUANTIFIED,
    Aggregate,
    And,
    Boundary,
    Call,
    Condition,
    Day,
    Duration,
    Events,
    Expression,
    Matches,
    Member,
    Moment,
    Name,
    Not,
    Number,
    Offset,
    Operand,
    Or,
    Period,
    Sample,
    Scaled,
    Sequence,
    Share,
    Shifted,
    Statistic,
    Step,
    Subject,
    Text,
    Truth,
    Variable,
)
from segmentd.segmenter.operands import OPERATORS

_T = TypeVar("_T")
SEGMENTS = ("vip", "lapsed 90d", "it's")
_TEXTS = ("VIP", "it's", "a\\b", "100%", "", "Zürich", "日本", "two\nlines", "_x_", "')")
_NUMBERS = ("0", "1", "2.50", "-3", "1000000", "0.333", "12")
_OPEN = ("metafields.facts.birth_date", "metafields.my-app.vip", "meta.level", "traits.age")
_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_WHICH = ("LAST", "THIS", "NEXT")
_PLACE = "customer_within_distance"
_AGGREGATES = {name: function.aggregates for name, function in FUNCTIONS.items()}
_EVENTS = [name for name in FUNCTIONS if name != _PLACE]
_TIMED = [name for name, function in FUNCTIONS.items() if "date" in function.properties]
_BY_KIND: Mapping[Kind, list[str]] = {
    kind: [name for name, field in FIELDS.items() if field.kind is kind] for kind in Kind
}


class Trees:
    """Makes trees up."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def rule(self, depth: int = 3) -> Expression:
        """A rule of up to ``depth`` levels."""
        pick = self._random.random()
        if depth == 0 or pick < 0.5:
            return self.leaf()
        if pick < 0.6:
            return Not(self.rule(depth - 1))
        parts = tuple(self.rule(depth - 1) for _ in range(self._random.choice([2, 2, 3])))
        return And(parts) if pick < 0.8 else Or(parts)

    def leaf(self) -> Expression:
        """One condition of any form."""
        makers: tuple[Callable[[], Expression], ...] = (
            *[self._condition] * 3,
            *[self._matches] * 2,
            self._near,
            self._sequence,
            self._member,
            self._sample,
        )
        make = self._random.choice(makers)
        return make()

    def _one(self, *choices: _T) -> _T:
        return self._random.choice(choices)

    def _value(self, *choices: Operand) -> Operand:
        return self._random.choice(choices)

    # leaves

    def _condition(self) -> Condition:
        subject, field = self._subject()
        return self._about(subject, field, single=False)

    def _matches(self) -> Matches:
        name = self._one(*_EVENTS)
        function = FUNCTIONS[name]
        totals = [self._total(name) for _ in range(self._one(0, 0, 1, 2))]
        filters = [self._filter(function) for _ in range(self._one(0, 1, 2))]
        events = Events(name, self._argument(function), (*filters, *totals))
        return Matches(events, self._no())

    def _near(self) -> Matches:
        point = Condition(Name("coordinates"), "=", (Text(self._one("45.4,-75.7", "0, 0")),))
        name = Name(self._one("distance_km", "distance_mi"))
        distance = Condition(name, self._one("=", "<", "<="), (Number(Decimal(10)),))
        return Matches(Events(_PLACE, None, (point, distance)), self._no())

    def _sequence(self) -> Sequence:
        steps = [self._step() for _ in range(self._one(1, 1, 2))]
        if self._random.random() < 0.3:
            steps.append(Step(self._events(_TIMED), negated=True, within=self._within()))
        return Sequence(self._events(_TIMED), tuple(steps))

    def _step(self) -> Step:
        without = self._one(None, self._events(_TIMED))
        return Step(self._events(_TIMED), within=self._within(), without=without)

    def _member(self) -> Member:
        return Member(self._one(*SEGMENTS))

    def _sample(self) -> Sample:
        low, high = self._one(("0", "10"), ("0", "0.01"), ("12.5", "25"), ("90", "100"))
        return Sample(Decimal(low), Decimal(high), self._one(*_TEXTS))

    # events

    def _events(self, names: list[str]) -> Events:
        name = self._one(*names)
        function = FUNCTIONS[name]
        filters = tuple(self._filter(function) for _ in range(self._one(0, 1, 1, 2)))
        return Events(name, self._argument(function), filters)

    def _argument(self, function: Function) -> str | None:
        return self._one("Viewed Product", *_TEXTS) if function.argument else None

    def _filter(self, function: Function, depth: int = 1) -> Expression:
        if depth and self._random.random() < 0.2:
            parts = (self._filter(function, depth - 1), self._filter(function, depth - 1))
            joined: tuple[Expression, ...] = (And(parts), Or(parts), Not(parts[0]))
            return self._random.choice(joined)
        more = ["properties.price"] if function.open else []
        name = self._one(*function.properties, *more)
        field = function.find(name)
        assert field is not None
        return self._about(Name(name), field, single=True)

    def _total(self, function: str) -> Condition:
        name = self._one(*_AGGREGATES[function])
        return self._about(Name(name), _AGGREGATES[function][name], single=False, relative=False)

    # subjects

    def _subject(self) -> tuple[Subject, Field]:
        pick = self._random.random()
        if pick < 0.6:
            name = self._one(*FIELDS, *_OPEN)
            field = find_field(name)
            assert field is not None
            return Name(name), field
        if pick < 0.65:
            return Aggregate("count", Name(self._one(*_BY_KIND[Kind.LIST]))), Field(Kind.COUNT, "")
        if pick < 0.75:
            return self._call(), Field(Kind.DATE, "")
        return self._aggregate()

    def _call(self) -> Call:
        date_field = self._one(*_BY_KIND[Kind.DATE], *_OPEN)
        call = Call("anniversary", date_field)
        return self._one(call, Call(self._one("ENTERED", "LEFT"), self._one(*SEGMENTS)))

    def _aggregate(self) -> tuple[Aggregate, Field]:
        events = self._events(_EVENTS)
        aggregates = _AGGREGATES[events.function]
        name = self._one(*aggregates)
        rolls = name == "count" or name.startswith("sum_")
        every = self._one(None, Duration(90, "d"), Duration(1, "m")) if rolls else None
        return Aggregate(name, events, every), aggregates[name]

    # conditions

    def _about(
        self, subject: Subject, field: Field, *, single: bool, relative: bool = True
    ) -> Condition:
        """``single``: about single events, which are compared with values and dates alone."""
        operator = self._one(*sorted(OPERATORS[field.kind]))
        if operator in {*PATTERNS, *QUANTIFIED}:
            return self._patterned(subject, operator)
        negated = self._no() and operator not in set(COMPARISONS) - {"="}
        operands: tuple[Operand, ...] = tuple(
            self._operand(field, single=single, relative=relative)
            for _ in range({"BETWEEN": 2, "IS NULL": 0}.get(operator, 1))
        )
        if operator == "IN":
            operands = self._listed(field, relative=relative and not single)
        return Condition(subject, operator, operands, negated)

    def _patterned(self, subject: Subject, operator: str) -> Condition:
        if operator in QUANTIFIED:
            some = tuple(Text(self._one(*_TEXTS)) for _ in range(self._one(1, 2)))
            return Condition(subject, operator, some, self._no())
        wanted = "^a.*[0-9]$" if operator == "REGEX" else self._one(*_TEXTS)
        mode = self._one("", "", "MATCHING CASE", "IGNORING ACCENTS")
        return Condition(subject, operator, (Text(wanted),), self._no(), mode)

    def _listed(self, field: Field, *, relative: bool) -> tuple[Operand, ...]:
        if field.kind in NUMERIC and relative and self._no():
            return (Share(self._one("TOP", "BOTTOM"), Decimal(self._one("10", "2.5", "100"))),)
        if field.kind is Kind.DATE and self._no():
            return (Period(self._one(*_WHICH), self._one(*_UNITS)),)
        return tuple(self._literal(field) for _ in range(self._one(1, 2, 3)))

    def _operand(self, field: Field, *, single: bool, relative: bool) -> Operand:
        pick = self._random.random()
        if field.kind is Kind.DATE and pick < 0.3:
            name = Name(self._one(*_BY_KIND[Kind.DATE]))
            return self._value(name, Shifted(name, self._offset()))
        if field.kind not in NUMERIC or single or pick > 0.4:
            return self._literal(field)
        if relative and pick < 0.2:
            return self._value(self._statistic(), Scaled(Decimal("1.5"), self._statistic()))
        same = {Kind.MONEY} if field.kind is Kind.MONEY else NUMERIC - {Kind.MONEY}
        other = Name(self._one(*(name for kind in sorted(same) for name in _BY_KIND[kind])))
        return self._value(other, Scaled(Decimal("0.5"), other))

    def _statistic(self) -> Statistic:
        if self._no():
            return Statistic("PERCENTILE", Decimal(self._one("75", "99.5", "0")))
        deviations = Decimal(self._one("0", "2", "-0.5"))
        return Statistic(self._one("AVERAGE", "MEDIAN"), deviations=deviations)

    def _literal(self, field: Field) -> Operand:
        make: Mapping[Kind, Callable[[], Operand]] = {
            Kind.MONEY: self._money,
            Kind.DATE: self._date,
            Kind.TRUTH: lambda: Truth(self._no()),
            Kind.TEXT: lambda: Text(self._one(*_TEXTS)),
            Kind.TERMS: lambda: Text(self._one(*_TEXTS)),
            Kind.CHOICE: lambda: Text(self._one(*field.choices)),
            Kind.ID: lambda: self._value(Number(Decimal(123)), Text("gid://shopify/Product/1")),
        }
        return make.get(field.kind, lambda: Number(Decimal(self._one(*_NUMBERS))))()

    def _money(self) -> Operand:
        number = Number(Decimal(self._one(*_NUMBERS)))
        return self._value(number, number, Variable("large_order"))

    def _date(self) -> Operand:
        literals: tuple[Operand, ...] = (
            Day(date(2026, 1, 31)),
            Moment(datetime(2026, 1, 31, 18, 0)),  # noqa: DTZ001 - the shop's clock
            Moment(datetime(2026, 1, 31, 18, 0, tzinfo=UTC)),
            Boundary(self._no(), self._one(*_WHICH), self._one(*_UNITS)),
            Variable("at_risk_days", self._one("-", "+")),
            self._offset(),
            self._offset(),
        )
        return self._value(*literals)

    def _offset(self) -> Offset:
        return Offset(self._one(-365, -7, -1, 0, 1, 30), self._one("d", "w", "m", "h", "min"))

    def _within(self) -> Duration | None:
        return self._one(None, Duration(30, "min"), Duration(7, "d"))

    def _no(self) -> bool:
        return self._random.random() < 0.5
