"""Traits and properties without a type of their own, read as what they are compared with."""

from __future__ import annotations

import pytest

from segmenter_oracle.asking import ask, holds, instant
from segmenter_oracle.histories import Event, Person


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        ("42", "= 42", True),
        ("42.50", "= 42.5", True),
        (" -3 ", "< -2", True),
        ("42", "= '42'", True),
        ("42.50", "= '42.5'", False),
        ("42", "BETWEEN 41 AND 43", True),
        ("42", "IN (1, 42)", True),
        ("many", "> 0", False),
        ("many", "!= 3", True),
        ("nan", "= 0", False),
        ("nan", "!= 0", True),
        ("inf", "> 5", False),
        ("1_000", "> 5", False),
        ("2026-07-01", "= 2026-07-01", True),
        ("2026-07-01", "> 2026-06-30", True),
        ("2026-07-01", "IN THIS MONTH", True),
        ("2026-07-01", ">= -14d", True),
        ("2026-07-01", ">= -13d", False),
        ("2026-07-01", "> 3", False),
        ("2026-07-01", "STARTS WITH '2026'", True),
        ("2026-07-01T23:30:00", "= 2026-07-01", True),
        ("2026-07-01 23:30:00", "= 2026-07-01T23:30:00", True),
        ("2026-07-01T23:30:00Z", "= 2026-07-02", True),
        ("2026-07-01T23:30:00-04:00", "= 2026-07-02T05:30:00", True),
        ("2026-07-01T23:30:00.750", "= 2026-07-01T23:30:00", True),
        ("2026-02-30", "IS NOT NULL", True),
        ("2026-02-30", "> 2000-01-01", False),
        ("0000-00-00", "< today", False),
        ("1850-01-01", "< today", False),
        ("01.07.2026", "> 2000-01-01", False),
        ("true", "= true", True),
        ("Yes", "= true", True),
        ("1", "= true", True),
        ("0", "= false", True),
        ("no", "= false", True),
        ("maybe", "= false", False),
        ("maybe", "= true", False),
        ("maybe", "!= true", True),
        ("", "IS NULL", True),
        ("gold", "IS NULL", False),
        ("Gold", "= 'gold'", True),
        ("Gold", "= 'gold' ", True),
        ("Gold", "CONTAINS 'old'", True),
    ],
)
def test_traits(value: str, condition: str, expected: bool) -> None:
    person = Person(1, traits={"traits.it": value, "traits.other": "x"})
    assert holds(f"traits.it {condition}", person, zone="Europe/Berlin") is expected
    event = Event(1, "seen", instant("2026-07-01T00:00:00"), properties={"it": value, "a": "b=c"})
    rule = f"events('seen') MATCHES (properties.it {condition})"
    assert holds(rule, Person(1, events=[event]), zone="Europe/Berlin") is expected


def test_traits_compared_with_other_facts() -> None:
    traits = {"traits.number": "3", "traits.day": "2026-07-01", "metafields.a.b": "2026-06-01"}
    person = Person(1, instant("2026-07-01T10:00:00"), traits=traits)
    for rule, expected in [
        ("number_of_orders < traits.number", True),
        ("traits.number > number_of_orders", True),
        ("traits.number <= count OF customer_tags", False),
        ("customer_added_date = traits.day", True),
        ("traits.day = customer_added_date", True),
        ("customer_added_date > metafields.a.b + 29d", True),
        ("customer_added_date > metafields.a.b + 30d", False),
        ("customer_added_date > meta.unknown", False),
    ]:
        assert holds(rule, person) is expected, rule


def test_traits_of_everybody() -> None:
    people = [Person(n, traits={"traits.age": str(n)} if n % 2 else {}) for n in range(1, 8)]
    assert ask("traits.age > 3", people)[0] == [5, 7]
    assert ask("traits.age IS NULL", people)[0] == [2, 4, 6]


def test_a_trait_of_the_future_is_due() -> None:
    people = [
        Person(1, traits={"traits.until": "2026-08-01"}),
        Person(2, traits={"traits.until": "2026-07-01"}),
        Person(3, traits={"traits.until": "soon"}),
    ]
    _, due = ask("traits.until < today", people)
    assert due.dropna().to_dict() == {1: instant("2026-08-02T00:00:00")}
