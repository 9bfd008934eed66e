"""From the texts of platforms to our exact values: money, instants, clean text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

_CURRENCIES_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""ISO 4217; every other currency has 2."""
_EXPONENTS = {
    code: decimals for decimals, codes in _CURRENCIES_BY_DECIMALS.items() for code in codes.split()
}

_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])[0-9]{0,20}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LARGEST = 2**63 - 1
_FEW = 14
"""Digits; with the most zeros behind them, four, they are less than that."""


def exponent(currency: str) -> int:
    """How many decimals the minor unit of ``currency`` (ISO 4217 code) has."""
    return _EXPONENTS.get(currency, 2)


def minor_units(amount: str, currency: str) -> int:
    """``("19.99", "EUR")`` → 1999: exact, half a minor unit and more rounded away from zero.

    Raises ValueError for anything that is no finite decimal number in a text: money must not go
    through float.
    """
    if isinstance(amount, str):
        whole, _, rest = amount.partition(".")
        digits, places = whole + rest, exponent(currency) - len(rest)
        # nearly all of them; exact decimals take three times as long
        if places >= 0 and len(digits) <= _FEW and digits.isascii() and digits.isdigit():
            return int(digits + "0" * places)
    return _rounded_units(amount, currency)


def _rounded_units(amount: str, currency: str) -> int:
    if not isinstance(amount, str) or _NUMBER.fullmatch(amount.strip()) is None:
        raise ValueError(f"{amount!r:.60} is no amount of money")
    scaled = Decimal(amount.strip()).scaleb(exponent(currency))
    units = int(scaled.to_integral_value(ROUND_HALF_UP))
    if abs(units) > _LARGEST:
        raise ValueError(f"{amount!r:.60} is too large for an amount of money")
    return units


def instant(text: str) -> datetime:
    """An ISO 8601 text as an aware UTC datetime of whole seconds, fractions cut off.

    A text without offset is taken as UTC (WooCommerce's ``*_gmt`` fields). Raises ValueError for
    anything else, such as MySQL's ``0000-00-00T00:00:00``.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r:.60} is no instant")  # noqa: TRY004 - one error for a bad value
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.microsecond:
        moment = moment.replace(microsecond=0)
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r:.60} is no instant that can be stored") from error


def clean(text: object) -> str | None:
    """A text that both databases can hold, without outer blanks; None if nothing is left.

    PostgreSQL refuses NUL and both drivers refuse lone surrogates: they become U+FFFD. Numbers
    become their digits; anything else that is no text is None.
    """
    if isinstance(text, str) and text.isascii() and "\x00" not in text:
        # nearly all of them, a dozen for each order of a first import
        return text.strip() or None
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        return None
    return _UNSTORABLE.sub("\ufffd", text).strip() or None
