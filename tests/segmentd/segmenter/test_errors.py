"""Every mistake is told with its place, what was expected, and the nearest known name."""

from __future__ import annotations

import time

import pytest

from compiled_rules import compile_rules
from segmentd.domain.errors import ConfigError, RuleError
from segmentd.segmenter.check import check
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop
from segmentd.segmenter.spelling import text

SHOP = Shop("Europe/Berlin", "EUR")
OPERATORS = "an operator such as =, >=, IN, CONTAINS, BETWEEN or MATCHES"
ON = "expected the end of the rule, AND or OR"

FORM = [
    ("", 1, 1, "the rule ends where a condition should follow"),
    ("amount_spent", 1, 13, f"the rule ends where {OPERATORS} should follow"),
    ("amount_spent >", 1, 15, "the rule ends where a value should follow"),
    ("amount_spent > 5 AND", 1, 21, "the rule ends where a condition should follow"),
    ("amount_spent > 5\nAND\n", 3, 1, "the rule ends where a condition should follow"),
    ("amount_spent > 5 AND AND number_of_orders = 1", 1, 22, "expected a condition, found 'AND'"),
    ("amount_spent ! 5", 1, 14, f"expected {OPERATORS}, found '!'"),
    ("amount_spent => 5", 1, 15, "expected a value, found '>'"),
    ("amount_spent ≥ 5", 1, 14, "≥ is written >="),
    ("amount_spent is 5", 1, 17, "expected NULL or NOT, found '5'"),
    ("5 < amount_spent", 1, 1, "expected a condition, found '5'"),
    ("(amount_spent > 5", 1, 18, "the rule ends where ) should follow"),
    ("amount_spent > 5)", 1, 17, "expected the end of the rule, found ')'"),
    ("amount_spent > 5€", 1, 17, f"{ON}, found '€'"),
    ("amount_spent > 5 number_of_orders = 1", 1, 18,
     "expected the end of the rule, AND, OR or %, found 'number_of_orders'"),
    ("last_order_date >= last month", 1, 25, f"{ON}, found 'month'"),
    ("amount_spent IN TOP 10", 1, 23, "the rule ends where % should follow"),
    ("amount_spent BETWEEN 1 OR 2", 1, 24, "expected AND, found 'OR'"),
    ("amount_spent > STORE", 1, 21,
     "the rule ends where AVERAGE, MEDIAN or PERCENTILE should follow"),
    ("amount_spent > STORE AVERAGE + 2", 1, 33, "the rule ends where DEVIATIONS should follow"),
    ("amount_spent > 1.5 * 2", 1, 22, "expected the name of a field or function, found '2'"),
    ("last_order_date IN LAST", 1, 24,
     "the rule ends where DAY, WEEK, MONTH, QUARTER or YEAR should follow"),
    ("last_order_date >= START OF MONTH", 1, 29, "expected LAST, THIS or NEXT, found 'MONTH'"),
    ("number_of_orders IN ()", 1, 22, "expected a value, found ')'"),
    ("number_of_orders IN 1, 2", 1, 21, "expected (, found '1'"),
    ('customer_tags CONTAINS "VIP"', 1, 24,
     "\" does not begin a text; write texts in single quotes: 'VIP'"),
    ("customer_tags CONTAINS \u2018VIP\u2019", 1, 24,
     "\u2018 does not begin a text; write texts in single quotes: 'VIP'"),
    ("customer_tags CONTAINS 'VIP", 1, 24, "the text that begins here has no closing '"),
    ("customer_tags CONTAINS VIP", 1, 24,
     "expected a value, found 'VIP'; write texts in single quotes"),
    ("customer_tags 'VIP'", 1, 15, f"expected {OPERATORS}, found 'VIP'"),
    ("customer_tags CONTAINS ANY 'VIP'", 1, 28, "expected (, found 'VIP'"),
    ("customer_tags STARTS WITH ANY ('a')", 1, 27, "ANY follows CONTAINS only"),
    ("customer_tags CONTAINS 'a' IGNORING CASE", 1, 28, f"{ON}, found 'IGNORING'"),
    ("orders_placed MATCHES (count > 1", 1, 33,
     "the rule ends where ) or a comma should follow"),
    ("orders_placed (count > 1)", 1, 26,
     "the rule ends where THEN, or MATCHES in front of the parentheses should follow"),
    ("orders_placed () WITHIN 7d", 1, 18,
     "expected THEN, or MATCHES in front of the parentheses, found 'WITHIN'"),
    ("orders_placed () THEN orders_placed", 1, 36, "the rule ends where ( should follow"),
    ("orders_placed () THEN orders_placed () WITHIN 7", 1, 47,
     "expected a length of time such as 7d, found '7'"),
    ("orders_placed () THEN orders_placed () WITHIN 2m", 1, 47,
     "WITHIN is counted in min, h, d or w: months and years differ in length"),
    ("orders_placed () THEN NOT orders_placed () THEN orders_placed ()", 1, 27,
     "THEN NOT can only stand at the end of a sequence"),
    ("orders_placed () THEN NOT orders_placed () WITHOUT orders_placed ()", 1, 52,
     "WITHOUT cannot follow THEN NOT"),
    ("count EVERY 90 OF orders_placed () > 1", 1, 13,
     "expected a length of time such as 7d, found '90'"),
    ("count EVERY 0d OF orders_placed () > 1", 1, 13, "0d is no length of time"),
    ("count OF", 1, 9, "the rule ends where the name of a field or function should follow"),
    ("products_purchased(id: 1) = 5", 1, 29, "expected true or false, found '5'"),
    ("products_purchased(id: 1) > true", 1, 1,
     "products_purchased(…) is compared with = true or = false"),
    ("MEMBER segment('vip')", 1, 8, "expected OF, found 'segment'"),
    ("MEMBER OF segment(vip)", 1, 19, "expected a text in single quotes, found 'vip'"),
    ("MEMBER OF events('vip')", 1, 11,
     "expected segment('…'), found events('…'), which is to be compared"),
    ("MEMBER OF segment('vip') FOR 30", 1, 30,
     "expected a length of time such as 7d, found '30'"),
    ("WAS segment('vip')", 1, 5, "expected MEMBER OF segment('…'), found 'segment'"),
    ("SAMPLE(10, 'x')", 1, 10, "expected %, found ','"),
    ("SAMPLE(20% TO 10%, 'x')", 1, 8, "a sample is a part of 0% to 100%, in steps of 0.01%"),
    ("amount_spent > $", 1, 16, "$ is written with a name, such as $limit"),
    ("last_order_date = 2020-02-30", 1, 19, "2020-02-30 is no date of the calendar"),
    ("last_order_date = 1066-10-14", 1, 19, "1066-10-14 lies outside of the years 1900 to 2199"),
    ("last_order_date >= -99999d", 1, 20, "-99999d lies more than 100 years away"),
    ("amount_spent IN TOP 0%", 1, 21, "a share lies above 0% and up to 100%"),
    ("amount_spent > STORE PERCENTILE 101", 1, 33, "a percentile lies between 0 and 100"),
    ("amount_spent > 12345678901234567890", 1, 16, "the number 123456789012345678… is too long"),
    ("customer_tags CONTAINS 'a\x00'", 1, 26, "'\\x00' is no character that a text can carry"),
]  # fmt: skip

NAMES = [
    ("amount_spend > 5", 1, 1, "unknown field 'amount_spend'; did you mean \"amount_spent\"?"),
    ("number_of_orders = 1 AND\n  amount_spend > 5", 2, 3,
     "unknown field 'amount_spend'; did you mean \"amount_spent\"?"),
    ("Amount_Spent > 5", 1, 1, "unknown field 'Amount_Spent'; did you mean \"amount_spent\"?"),
    ("qqq = 1", 1, 1, "unknown field 'qqq'"),
    ("metafields.size = 1", 1, 1,
     "unknown field 'metafields.size'; write metafields.NAMESPACE.KEY"),
    ("traits.a.b = 1", 1, 1, "unknown field 'traits.a.b'; write traits.KEY"),
    ("orders_placed > 5", 1, 1,
     "orders_placed is a function: write orders_placed MATCHES ( … ) or count OF orders_placed"
     " ( … )"),
    ("events('Viewed Product') > 5", 1, 1,
     "events('Viewed Product') is a function: write events('…') MATCHES ( … )"
     " or count OF events('…') ( … )"),
    ("event('Viewed Product') > 5", 1, 1,
     "unknown function 'event'; did you mean \"events\"?"),
    ("event('Viewed Product') MATCHES ()", 1, 1,
     "unknown function 'event'; did you mean \"events\"?"),
    ("events MATCHES ()", 1, 1, "events needs a name: write events('Viewed Product') ( … )"),
    ("orders_placed('web') MATCHES ()", 1, 1, "orders_placed takes no name: write orders_placed"
     " ( … )"),
    ("amount_spent MATCHES (date > -3d)", 1, 1,
     "amount_spent is a field and no function; compare it with a value"),
    ("order_placed MATCHES ()", 1, 1,
     "unknown function 'order_placed'; did you mean \"orders_placed\"?"),
    ("count OF order_placed () > 1", 1, 10,
     "unknown function 'order_placed'; did you mean \"orders_placed\"?"),
    ("cuont OF orders_placed () > 1", 1, 1,
     "orders_placed has no aggregate 'cuont'; did you mean \"count\"?"),
    ("sum_country OF orders_placed () > 1", 1, 1,
     "orders_placed has no aggregate 'sum_country'; did you mean \"sum_discount\"?"),
    ("count OF customer_tag > 1", 1, 10,
     "unknown field 'customer_tag'; did you mean \"customer_tags\"?"),
    ("sum OF customer_tags > 1", 1, 1, "a list has no 'sum'; write count OF customer_tags"),
    ("orders_placed MATCHES (dates > -3d)", 1, 24,
     "orders_placed has no parameter 'dates'; did you mean \"date\"?"),
    ("orders_placed MATCHES (date > -3d AND NOT (amuont > 5))", 1, 44,
     "orders_placed has no parameter 'amuont'; did you mean \"amount\"?"),
    ("orders_placed () THEN refunds_received (fuull = true)", 1, 41,
     "refunds_received has no parameter 'fuull'; did you mean \"full\"?"),
    ("orders_placed () THEN orders_placd ()", 1, 23,
     "unknown function 'orders_placd'; did you mean \"orders_placed\"?"),
    ("anniversary('first_order') = today", 1, 1,
     "unknown field 'first_order'; did you mean \"first_order_date\"?"),
    ("last_order_date > last_monday", 1, 19,
     "expected a date such as 2026-01-31, -90d or today, found 'last_monday'"
     "; did you mean \"last_order_date\"?"),
    ("last_order_date > last_monday + 7d", 1, 19,
     "expected a date such as 2026-01-31, -90d or today, found 'last_monday'"
     "; did you mean \"last_order_date\"?"),
    ("last_order_date < -$at_risk_day", 1, 19,
     "there is no variable $at_risk_day; did you mean \"at_risk_days\"?"),
    ("$loyal AND amount_spent > 5", 1, 1,
     "there is no variable $loyal; known: at_risk_days, dormant_days, high_price, large_order,"
     " lost_days, low_price"),
]  # fmt: skip

TYPES = [
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
     " use CONTAINS, STARTS WITH, ENDS WITH, LIKE, REGEX, CONTAINS ANY, CONTAINS ALL or IS NULL"),
    ("customer_tags CONTAINS NONE ('a', 5)", 1, 35,
     "customer_tags expects a text in single quotes, found 5"),
    ("traits.size LIKE 5", 1, 18, "traits.size expects a text in single quotes, found 5"),
    ("customer_account_status = 'ACTIVE'", 1, 27,
     "customer_account_status is never 'ACTIVE'; known: ENABLED, DISABLED, INVITED, DECLINED"),
    ("customer_season = 'FALL'", 1, 19,
     "customer_season is never 'FALL'; known: SPRING, SUMMER, AUTUMN, WINTER"),
    ("customer_email_domain REGEX 'shop(\\.example'", 1, 29,
     "'shop(\\\\.example' is no pattern: missing )"),
    ("customer_email_domain REGEX 'a{2,1}b'", 1, 29,
     "'a{2,1}b' is no pattern: invalid repetition size at '{2,1}'"),
    ("customer_email_domain REGEX '(?=shop)'", 1, 29,
     "'(?=shop)' is no pattern: invalid perl operator at '(?='"),
    ("customer_language IN TOP 5%", 1, 22, "TOP 5% needs a number of the customer"),
    ("last_order_date > STORE AVERAGE", 1, 25,
     "STORE AVERAGE needs a number of the customer"),
    ("last_order_date > 1.5 * STORE AVERAGE", 1, 19,
     "1.5 * STORE AVERAGE needs a number of the customer"),
    ("amount_spent IN LAST MONTH", 1, 17,
     "LAST MONTH needs a date, amount_spent is an amount of money"),
    ("amount_spent > last_order_date", 1, 16,
     "amount_spent is an amount of money and last_order_date is a date: they cannot be compared"),
    ("amount_spent > count OF orders_placed ()", 1, 16,
     "amount_spent is an amount of money and count OF orders_placed is a number:"
     " they cannot be compared"),
    ("amount_spent > traits.points", 1, 16,
     "amount_spent is an amount of money and traits.points is of any type:"
     " they cannot be compared"),
    ("traits.points > customer_tags", 1, 17,
     "traits.points is of any type and customer_tags is a list: they cannot be compared"),
    ("amount_spent > 1.5 * first_order_date", 1, 16,
     "only numbers can be multiplied, first_order_date is a date"),
    ("last_order_date > amount_spent + 7d", 1, 19,
     "only dates can be moved by +7d, amount_spent is an amount of money"),
    ("amount_spent > last_order_date + 7d", 1, 16,
     "amount_spent expects a number such as 100.50, found last_order_date +7d"),
    ("number_of_orders > traits.since + 7d", 1, 20,
     "number_of_orders expects a number such as 3, found traits.since +7d"),
    ("traits.since > traits.until + 7d", 1, 16,
     "traits.since is of any type and traits.until is of any type: they cannot be compared"),
    ("traits.size IN (5, true)", 1, 1,
     "traits.size is true or false: IN is no operator for it; use = or IS NULL"),
    ("traits.size BETWEEN -3d AND number_of_orders", 1, 29,
     "traits.size cannot lie between a date and a number"),
    ("traits.size BETWEEN 'S' AND 'XL'", 1, 1,
     "traits.size is a text: BETWEEN is no operator for it;"
     " use =, IN, CONTAINS, STARTS WITH, ENDS WITH, LIKE, REGEX, CONTAINS ANY, CONTAINS ALL"
     " or IS NULL"),
    ("traits.size > 'L'", 1, 1,
     "traits.size is a text: > is no operator for it;"
     " use =, IN, CONTAINS, STARTS WITH, ENDS WITH, LIKE, REGEX, CONTAINS ANY, CONTAINS ALL"
     " or IS NULL"),
    ("events('Quiz') MATCHES (properties.won >= true)", 1, 25,
     "properties.won is true or false: >= is no operator for it; use = or IS NULL"),
    ("customer_language = german", 1, 21, "expected a text in single quotes, found 'german'"),
    ("customer_tags CONTAINS ALL ('a', -3d)", 1, 34,
     "customer_tags expects a text in single quotes, found -3d"),
    ("amount_spent > $at_risk_days", 1, 16,
     "amount_spent expects a number such as 100.50, found $at_risk_days,"
     " which is a number of days"),
    ("last_order_date < $at_risk_days", 1, 19,
     "last_order_date expects a date such as 2026-01-31, -90d or today, found $at_risk_days,"
     " which is a number of days"),
    ("last_order_date < -$large_order", 1, 19,
     "last_order_date expects a date such as 2026-01-31, -90d or today, found -$large_order,"
     " which is an amount of money"),
    ("traits.size CONTAINS $large_order", 1, 22,
     "traits.size expects a text in single quotes, found $large_order,"
     " which is an amount of money"),
    ("$at_risk_days OR amount_spent > 5", 1, 1, "$at_risk_days is a number and no condition"),
    ("anniversary('amount_spent') = today", 1, 1,
     "anniversary('amount_spent') needs a date, amount_spent is an amount of money"),
    ("last_order_date = anniversary('first_order_date')", 1, 19,
     "anniversary('first_order_date') stands before an operator only; write it first"),
    ("anniversary('first_order_date') = 5", 1, 35,
     "anniversary('first_order_date') expects a date such as 2026-01-31, -90d or today, found 5"),
    ("ENTERED segment('vip') = 5", 1, 26,
     "ENTERED segment('vip') expects a date such as 2026-01-31, -90d or today, found 5"),
]  # fmt: skip

FUNCTIONS = [
    ("orders_placed MATCHES (NOT (count > 5))", 1, 29,
     "count is taken over all that is left: it stands alone between the commas of"
     " orders_placed MATCHES (…)"),
    ("count OF orders_placed (sum_amount > 5) > 1", 1, 25,
     "sum_amount is taken over all that is left: it stands alone between the commas of"
     " orders_placed MATCHES (…)"),
    ("orders_placed () THEN orders_placed (count > 1)", 1, 38,
     "count is taken over all that is left: it stands alone between the commas of"
     " orders_placed MATCHES (…)"),
    ("orders_placed MATCHES (segment('vip'))", 1, 24,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES (refunds_received MATCHES ())", 1, 24,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES (date > -3d, SAMPLE(10%, 'x'))", 1, 42,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES (orders_placed () THEN refunds_received ())", 1, 24,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES (count OF customer_tags > 1)", 1, 24,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES (anniversary('first_order_date') = today)", 1, 24,
     "inside of orders_placed (…) stand only its own parameters, such as date"),
    ("orders_placed MATCHES ($at_risk_days)", 1, 24, "$at_risk_days is a number and no condition"),
    ("orders_placed MATCHES (amount > amount_spent)", 1, 33,
     "amount expects a number such as 100.50, found amount_spent"),
    ("orders_placed MATCHES (amount > 2 * average_order_value)", 1, 33,
     "amount expects a number such as 100.50, found 2 * average_order_value"),
    ("orders_placed MATCHES (amount > STORE AVERAGE)", 1, 39,
     "amount expects a number such as 100.50, found STORE AVERAGE"),
    ("orders_placed MATCHES (amount IN TOP 10%)", 1, 34,
     "amount expects a number such as 100.50, found TOP 10%"),
    ("orders_placed MATCHES (sum_amount > STORE AVERAGE)", 1, 43,
     "write sum_amount OF orders_placed (…) … STORE AVERAGE to compare with the store"),
    ("orders_placed MATCHES (date > amount_spent)", 1, 31,
     "date is a date and amount_spent is an amount of money: they cannot be compared"),
    ("orders_placed MATCHES (count > 1 OR count < 5)", 1, 24,
     "count is taken over all that is left: it stands alone between the commas of"
     " orders_placed MATCHES (…)"),
    ("products_purchased MATCHES (discounted > true)", 1, 29,
     "discounted is true or false: > is no operator for it; use = or IS NULL"),
    ("average_amount EVERY 90d OF orders_placed () > 5", 1, 1,
     "EVERY follows count and sums such as sum_amount, not average_amount"),
    ("count EVERY 90d OF customer_tags > 5", 1, 1,
     "EVERY follows count and sums such as sum_amount, not the length of a list"),
    ("count EVERY 90min OF orders_placed () > 5", 1, 13,
     "EVERY is counted in whole days: d, w, m or y"),
    ("count OF amount_spent > 1", 1, 10,
     "amount_spent is an amount of money: count OF needs a list such as customer_tags,"
     " or a function such as orders_placed ( … )"),
    ("count OF customer_within_distance () > 1", 1, 1,
     "nothing can be counted OF customer_within_distance; use MATCHES"),
    ("orders_placed () THEN customer_within_distance ()", 1, 23,
     "customer_within_distance has no date: it cannot stand in a sequence"),
    ("store_credit_accounts () THEN orders_placed ()", 1, 1,
     "store_credit_accounts has no date: it cannot stand in a sequence"),
    *(
        (f"customer_within_distance MATCHES ({parameters})", 1, 1,
         "customer_within_distance needs coordinates = '…' and distance_km or distance_mi <= …")
        for parameters in (
            "",
            "coordinates = '45.4,-75.7'",
            "distance_km <= 10",
            "coordinates = '45.4,-75.7', distance_km > 10",
            "coordinates != '45.4,-75.7', distance_km <= 10",
            "coordinates = '45.4,-75.7', distance_km <= 10, distance_mi <= 10",
            "coordinates = '45.4,-75.7', NOT (distance_km <= 10)",
        )
    ),
    *(
        (f"customer_within_distance MATCHES (coordinates = '{point}', distance_mi < 10)", 1, 49,
         f"'{point}' is no place; write latitude and longitude: '52.52,13.405'")
        for point in ("Berlin", "52.52", "91,0", "0,-180.5", "52,5,13,4", "")
    ),
]  # fmt: skip

WRONG = [*FORM, *NAMES, *TYPES, *FUNCTIONS]


@pytest.mark.parametrize(("rule", "line", "column", "message"), WRONG)
def test_wrong_rules(rule: str, line: int, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(parse(rule))
    assert str(caught.value) == f"line {line}, column {column}: {message}"
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("rule", "column", "near"),
    [
        ("segment('vpi')", 1, 'vpi\'; did you mean "vip"?'),
        ("MEMBER OF segment('VIP') FOR 7d", 11, 'VIP\'; did you mean "vip"?'),
        ("ENTERED segment('x') > -3d", 1, "x'; known: lapsed, vip"),
        ("last_order_date > LEFT segment('x')", 19, "x'; known: lapsed, vip"),
        ("orders_placed MATCHES (date > LEFT segment('x') + 7d)", 31, "x'; known: lapsed, vip"),
        ("anniversary('first_order_date') = ENTERED segment('x')", 35, "x'; known: lapsed, vip"),
    ],
)
def test_segments_are_known(rule: str, column: int, near: str) -> None:
    check(parse(rule))
    with pytest.raises(RuleError) as caught:
        check(parse(rule), ["vip", "lapsed"])
    assert str(caught.value) == f"line 1, column {column}: there is no segment '{near}"
    check(parse(rule.replace("vpi", "vip").replace("VIP", "vip").replace("'x'", "'vip'")), ["vip"])


def test_a_ruleset_names_the_segment() -> None:
    with pytest.raises(RuleError) as caught:
        compile_rules({"fine": "number_of_orders = 1", "vip": "\n amount_spend > 5"}, SHOP)
    assert str(caught.value).startswith("segment 'vip': line 2, column 2: unknown field")
    assert (caught.value.line, caught.value.column) == (2, 2)


def _refused(rule: str) -> str:
    with pytest.raises(RuleError) as caught:
        check(parse(rule))
    return str(caught.value)


def test_depth_is_limited() -> None:
    condition = "orders_placed MATCHES (date > -3d)"
    deep = f"({condition} OR " * 64 + condition + ")" * 64
    check(parse(deep))
    message = "the rule is nested more than 64 levels deep"
    assert _refused(f"({deep} AND {condition})") == f"line 1, column 1: {message}"
    assert message in _refused("NOT " * 65 + condition)
    assert message in _refused("(number_of_orders = 1 OR " * 700 + condition + ")" * 700)


@pytest.mark.parametrize("levels", [1, 63, 64])
def test_what_is_deep_can_be_written_again(levels: int) -> None:
    for begin, end in (("NOT ", ""), ("NOT (", ")"), ("(segment('a') AND ", ")")):
        tree = parse(begin * levels + "orders_placed MATCHES ()" + end * levels)
        assert parse(text(tree)) == tree
    assert parse("(" * 9_000 + "segment('a')" + ")" * 9_000) == parse("segment('a')")


@pytest.mark.parametrize("levels", [9, 300, 500])
def test_functions_in_operands_are_no_way_round_it(levels: int) -> None:
    inner = "last_date OF orders_placed (date > "
    rule = "orders_placed MATCHES (date > {}today{})"
    check(parse(rule.format(inner * 7, ")" * 7)))
    message = "functions are nested more than 8 levels deep"
    assert message in _refused(rule.format(inner * levels, ")" * levels))


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
        "orders_placed () THEN " * 900,
        "a OF b(" * 2_800,
        "customer_language REGEX '" + "(" * 19_000 + "'",
        "-" * 20_000,
        "\x00\ud800",
    ],
)
def test_hostile_texts_are_refused_quickly(rule: str) -> None:
    begun = time.process_time()
    assert _refused(rule).startswith("line 1, column")
    assert time.process_time() - begun < 5


def test_an_unknown_time_zone_is_refused() -> None:
    for name in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(ConfigError, match="there is no time zone"):
            compile_rules({}, Shop(name, "EUR"))
