from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd.sdk.values import clean, exponent, instant, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("19.99", "EUR", 1999),
        ("0", "EUR", 0),
        ("-3.50", "EUR", -350),
        ("+3.5", "USD", 350),
        (" 7 ", "EUR", 700),
        (".5", "EUR", 50),
        ("5.", "EUR", 500),
        ("1e2", "EUR", 10_000),
        ("1.0E-2", "EUR", 1),
        ("1500", "JPY", 1500),
        ("1500.5", "JPY", 1501),
        ("1.2345", "KWD", 1235),
        ("1.00005", "CLF", 10_001),
        ("0.005", "EUR", 1),
        ("-0.005", "EUR", -1),
        ("0.00499999999999999999", "EUR", 0),
        ("479.03999999999996", "EUR", 47_904),
        ("92233720368547758.07", "EUR", 2**63 - 1),
        # as long as what is read without exact decimals, and one digit longer
        ("999999999999.99", "EUR", 99_999_999_999_999),
        ("9999999999999.99", "EUR", 999_999_999_999_999),
        ("99999999999999", "CLF", 999_999_999_999_990_000),
    ],
)
def test_money_is_exact(amount: str, currency: str, units: int) -> None:
    assert minor_units(amount, currency) == units


@pytest.mark.parametrize(
    "amount",
    [
        "", " ", ".", "-", "abc", "NaN", "Infinity", "1,50", "1_000", "0x10", "١٢", "1 2", "1e999",
        "92233720368547758.08", "9" * 5000, "1." + "0" * 5000, None, 19.99, 20, True, [], {},
    ],
)  # fmt: skip
def test_what_is_no_money_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match="amount of money"):
        minor_units(amount, "EUR")


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_every_amount_of_whole_minor_units_comes_back(units: int, currency: str) -> None:
    text = str(Decimal(units).scaleb(-exponent(currency)))
    assert minor_units(text, currency) == units


@given(st.lists(st.decimals("-99999", "99999", places=2), max_size=50))
def test_sums_are_equal_to_the_cent(amounts: list[Decimal]) -> None:
    assert sum(minor_units(str(amount), "EUR") for amount in amounts) == sum(amounts) * 100


NOON = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:05Z",
        "2026-03-02T12:00:05",
        "2026-03-02 12:00:05",
        "2026-03-02T12:00:05.999Z",
        "2026-03-02T13:00:05+01:00",
        "2026-03-02T06:30:05-05:30",
        " 2026-03-02T12:00:05+00:00 ",
    ],
)
def test_instants_are_utc_and_of_whole_seconds(text: str) -> None:
    assert instant(text) == NOON
    assert instant(text).utcoffset() == NOON.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "0000-00-00T00:00:00", "2026-02-30", "2026-03-02T25:00:00", "1772452805",
        "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", None, 5, [],
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - also the standard library's own
        instant(text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_an_instant_keeps_its_second(moment: datetime) -> None:
    assert 0 <= (moment - instant(moment.isoformat())).total_seconds() < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada", "Ada"),
        ("  Ada  ", "Ada"),
        ("A\x00da", "A\ufffdda"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("", None),
        (" \n", None),
        (None, None),
        (7, "7"),
        (2.5, "2.5"),
        (True, None),
        ({"a": 1}, None),
        ([], None),
        ("👩‍👩‍👧 שלום", "👩‍👩‍👧 שלום"),
    ],
)
def test_clean_texts(text: object, expected: str | None) -> None:
    assert clean(text) == expected


@given(st.text(alphabet=st.characters(), max_size=40))
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert cleaned is None or "\x00" not in cleaned.encode().decode()
    assert clean(cleaned) == cleaned
