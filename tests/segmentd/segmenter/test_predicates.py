"""The text operators."""

from __future__ import annotations

import time

import pytest

from segmentd.segmenter.predicates import like
from segmenter_oracle.asking import holds
from segmenter_oracle.histories import Event, Person

CITY, TAGS = "properties.city", "customer_tags"


def of_city(city: str, condition: str) -> bool:
    person = Person(1, events=[Event(1, "a", 0, properties={"city": city})])
    return holds(f"events('a') MATCHES ({CITY} {condition})", person)


@pytest.mark.parametrize(
    ("city", "condition", "expected"),
    [
        ("München", "= 'MÜNCHEN'", True),
        ("München", "= 'munchen'", False),
        ("München", "CONTAINS 'UNCH' IGNORING ACCENTS", True),
        ("Munchen", "CONTAINS 'ünch' IGNORING ACCENTS", True),
        ("München", "CONTAINS 'ünch' MATCHING CASE", True),
        ("München", "CONTAINS 'ÜNCH' MATCHING CASE", False),
        ("Straße", "STARTS WITH 'STRASS'", True),
        ("Straße", "STARTS WITH 'strass' MATCHING CASE", False),
        ("Évry", "STARTS WITH 'e' IGNORING ACCENTS", True),
        ("Évry", "STARTS WITH 'e'", False),
        ("E\u0301vry", "= 'évry'", False),
        ("E\u0301vry", "LIKE 'évry' IGNORING ACCENTS", True),
        ("Orléans", "ENDS WITH 'ANS'", True),
        ("Orléans", "ENDS WITH 'ANS' MATCHING CASE", False),
        ("Orléans", "LIKE 'O%le_ns' IGNORING ACCENTS", True),
        ("Orléans", "NOT LIKE 'O%le_ns' IGNORING ACCENTS", False),
        ("Berlin", "IN ('paris', 'BERLIN')", True),
        ("Berlin", "NOT IN ('paris', 'BERLIN')", False),
        ("Berlin", "CONTAINS ANY ('xx', 'RL')", True),
        ("Berlin", "CONTAINS ALL ('ber', 'LIN')", True),
        ("Berlin", "CONTAINS ALL ('ber', 'xx')", False),
        ("Berlin", "CONTAINS NONE ('xx', 'yy')", True),
        ("Berlin", "CONTAINS NONE ('xx', 'ber')", False),
    ],
)
def test_texts(city: str, condition: str, expected: bool) -> None:
    assert of_city(city, condition) is expected


@pytest.mark.parametrize(
    ("city", "pattern", "expected"),
    [
        ("Berlin", "'erl'", True),
        ("Berlin", "'^erl'", False),
        ("Berlin", "'^BERLIN$'", True),
        ("Berlin", "'^BERLIN$' MATCHING CASE", False),
        ("Berlin", "'^B\\\\w+n$' MATCHING CASE", True),
        # the sign for anything but blanks does not become that for blanks
        ("Berlin", "'^\\\\S+$'", True),
        ("Évry", "'^e' IGNORING ACCENTS", True),
        ("Evry", "'^[éà]vry$' IGNORING ACCENTS", True),
        ("Évry", "'^e'", False),
        ("Bonn\uff08Rhein\uff09", "'\\\\(rhein\\\\)' IGNORING ACCENTS", True),
    ],
)
def test_patterns(city: str, pattern: str, expected: bool) -> None:
    assert of_city(city, f"REGEX {pattern}") is expected
    assert of_city(city, f"NOT REGEX {pattern}") is not expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("CONTAINS 'vip'", True),
        ("CONTAINS 'vi'", False),
        ("CONTAINS 'vip' MATCHING CASE", False),
        ("CONTAINS 'ete' IGNORING ACCENTS", True),
        ("CONTAINS ANY ('nobody', 'Wholesale')", True),
        ("CONTAINS ANY ('nobody', 'whole')", False),
        ("CONTAINS ALL ('VIP', 'wholesale')", True),
        ("CONTAINS ALL ('VIP', 'nobody')", False),
        ("NOT CONTAINS ALL ('VIP', 'nobody')", True),
        ("CONTAINS NONE ('nobody', 'else')", True),
        ("CONTAINS NONE ('nobody', 'vip')", False),
        ("LIKE 'whole%'", True),
        ("STARTS WITH 'sale'", False),
        ("REGEX 'sale$'", True),
        ("IS NULL", False),
    ],
)
def test_lists(condition: str, expected: bool) -> None:
    person = Person(1, tags=["VIP", "wholesale", "Été"])
    assert holds(f"{TAGS} {condition}", person) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("= 'x'", False),
        ("!= 'x'", True),
        ("CONTAINS ALL ('x')", False),
        ("CONTAINS NONE ('x')", True),
        ("REGEX '.*'", False),
        ("NOT REGEX '.*'", True),
        ("IS NULL", True),
    ],
)
def test_missing_texts(condition: str, expected: bool) -> None:
    assert of_city("", condition) is expected


def test_no_pattern_takes_long() -> None:
    """Engines that try again and again would need more than a lifetime."""
    started = time.process_time()
    assert not of_city("a" * 3_000, "REGEX '^(a+)+$b'")
    assert not like("%a" * 40 + "%b")("a" * 3_000)
    assert time.process_time() - started < 5


def test_like_takes_the_whole_text() -> None:
    for pattern, text, expected in [
        ("", "", True),
        ("%", "", True),
        ("_", "", False),
        ("a%b%c", "a1b2b3c", True),
        ("a%b%c", "a1b2b3", False),
        ("%a%a", "a", False),
        ("a.c", "abc", False),
        ("%x_", "xxy", True),
    ]:
        assert like(pattern)(text) is expected, (pattern, text)
