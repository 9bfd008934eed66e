"""Every mistake is told with its place, what was expected, and the nearest known name."""

from __future__ import annotations

import time

import pytest

from segmentd.domain.errors import ConfigError, RuleError
from segmentd.segmenter.ruleset import Shop, compile_rules

SHOP = Shop("Europe/Berlin", "EUR")
OPERATORS = "an operator such as =, >=, IN, CONTAINS, BETWEEN or MATCHES"

WRONG = [
    # form
    ("", 1, 1, "the rule ends where a condition should follow"),
    ("amount_spent", 1, 13, f"the rule ends where {OPERATORS} should follow"),
    ("amount_spent >", 1, 15, "the rule ends where a value should follow"),
    ("amount_spent > 5 AND", 1, 21, "the rule ends where a condition should follow"),
    ("amount_spent > 5\nAND\n", 3, 1, "the rule ends where a condition should follow"),
    ("amount_spent ! 5", 1, 14, f"expected {OPERATORS}, found '!'"),
    ("amount_spent => 5", 1, 15, "expected a value, found '>'"),
    ("amount_spent is 5", 1, 17, "expected NULL or NOT, found '5'"),
    ("5 < amount_spent", 1, 1, "expected a condition, found '5'"),
    ("(amount_spent > 5", 1, 18, "the rule ends where ) should follow"),
    ("amount_spent > 5)", 1, 17, "expected the end of the rule, found ')'"),
    ("amount_spent > 5 number_of_orders = 1", 1, 18,
     "expected the end of the rule, AND, OR or %, found 'number_of_orders'"),
    ("amount_spent IN TOP 10", 1, 23, "the rule ends where % should follow"),
    ("amount_spent BETWEEN 1 OR 2", 1, 24, "expected AND, found 'OR'"),
    ("amount_spent > STORE", 1, 21, "the rule ends where AVERAGE or MEDIAN should follow"),
    ("last_order_date IN LAST", 1, 24,
     "the rule ends where DAY, WEEK, MONTH, QUARTER or YEAR should follow"),
    ("number_of_orders IN ()", 1, 22, "expected a value, found ')'"),
    ('customer_tags CONTAINS "VIP"', 1, 24,
     "\" does not begin a text; write texts in single quotes: 'VIP'"),
    ("customer_tags CONTAINS \u2018VIP\u2019", 1, 24,
     "\u2018 does not begin a text; write texts in single quotes: 'VIP'"),
    ("customer_tags CONTAINS 'VIP", 1, 24, "the text that begins here has no closing '"),
    ("orders_placed MATCHES (count > 1", 1, 33, "the rule ends where ) or a comma should follow"),
    ("orders_placed MATCHES (orders_placed MATCHES ())", 1, 38,
     f"expected {OPERATORS}, found 'MATCHES'"),
    ("products_purchased(id: 1) = 5", 1, 29, "expected true or false, found '5'"),
    ("products_purchased(id: 1) > true", 1, 1,
     "products_purchased(…) is compared with = true or = false"),
    ("last_order_date = 2020-02-30", 1, 19, "2020-02-30 is no date of the calendar"),
    ("last_order_date = 1066-10-14", 1, 19, "1066-10-14 lies outside of the years 1900 to 2199"),
    ("last_order_date >= -99999d", 1, 20, "-99999d lies more than 100 years away"),
    ("amount_spent IN TOP 0%", 1, 21, "a share lies above 0% and up to 100%"),
    ("amount_spent > 12345678901234567890", 1, 16, "the number 123456789012345678… is too long"),
    # names
    ("amount_spend > 5", 1, 1, "unknown field 'amount_spend'; did you mean \"amount_spent\"?"),
    ("number_of_orders = 1 AND\n  amount_spend > 5", 2, 3,
     "unknown field 'amount_spend'; did you mean \"amount_spent\"?"),
    ("Amount_Spent > 5", 1, 1, "unknown field 'Amount_Spent'; did you mean \"amount_spent\"?"),
    ("qqq = 1", 1, 1, "unknown field 'qqq'"),
    ("orders_placed > 5", 1, 1, "orders_placed is a function: write orders_placed MATCHES ( … )"),
    ("amount_spent MATCHES (date > -3d)", 1, 1,
     "amount_spent is a field and has no MATCHES; compare it with a value"),
    ("order_placed MATCHES ()", 1, 1,
     "unknown function 'order_placed'; did you mean \"orders_placed\"?"),
    ("orders_placed MATCHES (dates > -3d)", 1, 24,
     "orders_placed has no parameter 'dates'; did you mean \"date\"?"),
    ("orders_placed MATCHES (count > 1, count < 5)", 1, 35, "parameter 'count' is given twice"),
    # types
    ("amount_spent > 'a lot'", 1, 16,
     "amount_spent expects a number such as 100.50, found 'a lot'"),
    ("amount_spent > -90d", 1, 16, "amount_spent expects a number such as 100.50, found -90d"),
    ("last_order_date > 90", 1, 19,
     "last_order_date expects a date such as 2026-01-31, -90d or today, found 90"),
    ("amount_spent CONTAINS '5'", 1, 1,
     "amount_spent is an amount of money: CONTAINS is no operator for it;"
     " use =, >, >=, <, <=, BETWEEN, IN or IS NULL"),
    ("customer_tags != 'VIP'", 1, 1,
     "customer_tags is a list: != is no operator for it;"
     " use CONTAINS, STARTS WITH, ENDS WITH, LIKE or IS NULL"),
    ("customer_account_status = 'ACTIVE'", 1, 27,
     "customer_account_status is never 'ACTIVE'; known: ENABLED, DISABLED, INVITED, DECLINED"),
    ("customer_language IN TOP 5%", 1, 22, "TOP 5% needs a number field of the customer"),
    ("last_order_date > STORE AVERAGE", 1, 25,
     "STORE AVERAGE needs a number field of the customer"),
    ("amount_spent IN LAST MONTH", 1, 17,
     "LAST MONTH needs a date, amount_spent is an amount of money"),
    ("orders_placed MATCHES (count > STORE AVERAGE)", 1, 38,
     "STORE AVERAGE needs a number field of the customer"),
    ("amount_spent > last_order_date", 1, 16,
     "amount_spent is an amount of money and last_order_date is a date: they cannot be compared"),
    ("customer_language = german", 1, 21, "expected a text in single quotes, found 'german'"),
    ("last_order_date > last_monday", 1, 19,
     "expected a date such as 2026-01-31, -90d or today, found 'last_monday'"
     "; did you mean \"last_order_date\"?"),
    ("orders_placed MATCHES (amount > amount_spent)", 1, 33,
     "expected a number such as 100.50, found 'amount_spent'"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "line", "column", "message"), WRONG)
def test_wrong_rules(rule: str, line: int, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rules({"fine": "number_of_orders = 1", "vip": rule}, SHOP)
    assert str(caught.value) == f"segment 'vip': line {line}, column {column}: {message}"
    assert (caught.value.line, caught.value.column) == (line, column)


def _refused(rule: str) -> str:
    with pytest.raises(RuleError) as caught:
        compile_rules({"a": rule}, SHOP)
    return str(caught.value)


def test_depth_is_limited() -> None:
    deep = "(" * 64 + "number_of_orders = 1" + ")" * 64
    assert compile_rules({"a": deep}, SHOP).keys == ("a",)
    message = "the rule is nested more than 64 levels deep"
    assert _refused(f"({deep})") == f"segment 'a': line 1, column 1: {message}"
    assert message in _refused("NOT " * 65 + "number_of_orders = 1")
    assert message in _refused("(" * 9_000 + "number_of_orders = 1" + ")" * 9_000)


def test_length_is_limited() -> None:
    assert "the rule has 20,001 characters; 20,000 are allowed" in _refused("x" * 20_001)


@pytest.mark.parametrize(
    "rule",
    [
        "(" * 20_000,
        "NOT " * 5_000,
        "customer_tags CONTAINS '" + "\\'" * 9_000,
        "a" * 20_000,
        "1" * 20_000,
        "amount_spent = 1" + " OR amount_spent = 1 AND" * 800,
        "-" * 20_000,
        "\x00\ud800",
    ],
)
def test_hostile_texts_are_refused_quickly(rule: str) -> None:
    begun = time.process_time()
    assert _refused(rule).startswith("segment 'a': line 1, column")
    assert time.process_time() - begun < 5


def test_an_unknown_time_zone_is_refused() -> None:
    for name in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(ConfigError, match="there is no time zone"):
            compile_rules({}, Shop(name, "EUR"))
