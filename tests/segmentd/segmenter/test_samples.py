"""Stable parts of all customers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd.segmenter.facts import Facts
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Sample
from segmentd.segmenter.predicates import Bools
from segmentd.segmenter.samples import _cut
from segmenter_oracle.histories import Person, frames

COUNT = 4_000


def facts(people: Sequence[Person]) -> Facts:
    return Facts(frames(people), Clock("UTC", datetime(2026, 7, 15, tzinfo=UTC)))


@pytest.fixture(scope="module")
def crowd() -> Facts:
    return facts([Person(number) for number in range(COUNT)])


def part(crowd: Facts, low: str, high: str, salt: str = "a") -> Bools:
    return crowd.samples.sampled(Sample(Decimal(low), Decimal(high), salt))


def share(source: str, customer_id: str, salt: str) -> Fraction:
    """Where a customer stands between 0 and 100, by the definition."""
    identity = f"{salt}\0{source}:{customer_id}".encode()
    digest = hashlib.blake2b(identity, digest_size=8).digest()
    return Fraction(int.from_bytes(digest, "big") * 100, 2**64)


@pytest.mark.parametrize("percent", ["0.5", "10", "50", "99.99"])
def test_a_part_has_about_its_size(crowd: Facts, percent: str) -> None:
    expected = float(percent) / 100
    deviation = (expected * (1 - expected) / COUNT) ** 0.5
    assert part(crowd, "0", percent).mean() == pytest.approx(expected, abs=4 * deviation)


def test_nobody_and_everybody(crowd: Facts) -> None:
    assert part(crowd, "0", "100").all()
    assert not (part(crowd, "0", "50") & part(crowd, "50", "100")).any()


@pytest.mark.parametrize("hundredths", [0, 1, 3_333, 5_000, 9_999, 10_000])
def test_the_cut_is_the_first_hash_that_is_not_below(hundredths: int) -> None:
    cut = _cut(Decimal(hundredths) / 100)
    assert Fraction(cut - 1, 2**64) < Fraction(hundredths, 10_000) <= Fraction(cut, 2**64)


@given(st.lists(st.integers(1, 9_999), max_size=6, unique=True))
def test_parts_of_a_split_share_nobody_and_leave_nobody(crowd: Facts, cuts: list[int]) -> None:
    bounds = [Decimal(cut) / 100 for cut in [0, *sorted(cuts), 10_000]]
    parts = [crowd.samples.sampled(Sample(low, high, "split")) for low, high in pairwise(bounds)]
    assert (np.sum(parts, axis=0) == 1).all()


def test_who_is_in_follows_from_salt_source_and_id_alone() -> None:
    people = [Person(number, source=("shop", "woo")[number % 2]) for number in range(200)]
    for salt in ("a", "", "Ärger"):
        found = facts(people).samples.sampled(Sample(Decimal(20), Decimal("70.5"), salt))
        expected = [20 <= share(p.source, p.customer_id, salt) < Fraction("70.5") for p in people]
        assert found.tolist() == expected


def test_somebody_stays_in_when_others_come_and_go(crowd: Facts) -> None:
    before = part(crowd, "0", "30")
    some = facts([Person(number, email="new@shopper.example") for number in range(0, COUNT, 7)])
    assert part(some, "0", "30").tolist() == before[::7].tolist()


def test_salts_are_independent(crowd: Facts) -> None:
    both = part(crowd, "0", "50", "a") & part(crowd, "0", "50", "b")
    assert both.mean() == pytest.approx(0.25, abs=0.03)


def test_nobody_at_all() -> None:
    assert part(facts([]), "0", "50").tolist() == []


def test_where_somebody_stands_is_the_first_cut_above(crowd: Facts) -> None:
    for number in range(0, COUNT, 50):
        person, percent = Person(number), crowd.samples.percent("a", number)
        stands = share(person.source, person.customer_id, "a")
        assert Fraction(percent) - Fraction(1, 100) <= stands < Fraction(percent)
