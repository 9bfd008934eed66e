"""Random rules, as texts."""

from __future__ import annotations

import random

_DAYS = ["today", "yesterday", "-1d", "-7d", "-30d", "-90d", "-1w", "-1m", "-3m", "-1y", "+1d"]
_FIXED = ["2026-03-29", "2026-10-25", "2025-12-31", "2024-02-29", "2026-06-30T23:00:00"]
_EXACT = ["-24h", "-1h", "-30min", "-48h", "+1h", "7_days_ago", "12_months_ago"]
_PERIODS = [
    f"{w} {u}"
    for w in ("LAST", "THIS", "NEXT")
    for u in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
]
_COMPARED = ["=", "!=", ">", ">=", "<", "<="]
_DATE_FIELDS = [
    "last_order_date",
    "first_order_date",
    "customer_added_date",
    "abandoned_checkout_date",
]
_MONEY_FIELDS = ["amount_spent", "average_order_value"]
_NUMBER_FIELDS = ["number_of_orders", "refunded_orders"]
_RATIO_FIELDS = ["refund_rate", "coupon_share"]
_MONEY = ["0", "9.99", "10", "10.01", "50", "123.45"]
_NUMBERS = ["0", "1", "2", "3"]
_RATIOS = ["0", "0.1", "50%", "1", "0.3333"]
_LISTS = {
    "customer_tags": ["vip", "VIP", "wholesale", "O\\'Hara", "none"],
    "customer_countries": ["DE", "us"],
    "customer_regions": ["US-CA", "DE-BE"],
    "customer_cities": ["US-CA-LosAngeles", "DE-Berlin"],
}
_CHOICES = {
    "customer_account_status": ["ENABLED", "DISABLED"],
    "email_subscription_status": ["SUBSCRIBED", "UNSUBSCRIBED"],
    "sms_subscription_status": ["SUBSCRIBED", "PENDING"],
    "rfm_group": ["LOYAL"],
}
_TEXTS = {
    "customer_email_domain": ["mail.example", "Mail.example", "shop", "%.example", "m_il%"],
    "customer_language": ["en", "EN", "e", "%"],
    "last_order_country": ["DE", "fr", "d%"],
}
_PRODUCT = {
    "type": ["shoes", "Gift Card"],
    "vendor": ["acme", "B"],
    "title": ["Hat", "shoe", "%blue%"],
}
_TERMS = {"tag": ["red", "SALE"], "category": ["shoes", "headwear", "sale items"]}


def random_rule(chooser: random.Random, depth: int = 3) -> str:
    """A rule of up to ``depth`` levels."""
    pick = chooser.random()
    if depth == 0 or pick < 0.45:
        return _leaf(chooser)
    if pick < 0.6:
        return f"NOT ({random_rule(chooser, depth - 1)})"
    word = chooser.choice([" AND ", " and ", " OR "])
    parts = [random_rule(chooser, depth - 1) for _ in range(chooser.choice([2, 2, 3]))]
    return word.join(part if chooser.random() < 0.3 else f"({part})" for part in parts)


def _leaf(r: random.Random) -> str:
    kind = r.randrange(10)
    if kind < 3:
        return _date(r, r.choice(_DATE_FIELDS), nullable=True)
    if kind < 5:
        return _orders(r)
    if kind < 7:
        return _products(r)
    if kind == 7:
        return _number(r)
    return _texts(r)


def _date(r: random.Random, name: str, *, nullable: bool = False) -> str:
    def reference() -> str:
        return r.choice(r.choice([_DAYS, _DAYS, _FIXED, _EXACT]))

    forms = [
        f"{name} {r.choice(_COMPARED)} {reference()}",
        f"{name} {r.choice(_COMPARED)} {reference()}",
        f"{name} {_no(r)}BETWEEN {reference()} AND {reference()}",
        f"{name} {_no(r)}IN {r.choice(_PERIODS)}",
        f"{name} {_no(r)}IN ({reference()}, {reference()})",
        f"{name} IS {_no(r)}NULL",
        f"{name} {r.choice(_COMPARED)} {r.choice(_DATE_FIELDS)}",
    ]
    return r.choice(forms if nullable else forms[:5])


def _no(r: random.Random) -> str:
    return r.choice(["", "", "NOT "])


def _numeric(r: random.Random, name: str, choices: list[str]) -> str:
    return r.choice(
        [
            f"{name} {r.choice(_COMPARED)} {r.choice(choices)}",
            f"{name} {r.choice(_COMPARED)} {r.choice(choices)}",
            f"{name} {_no(r)}BETWEEN {r.choice(choices)} AND {r.choice(choices)}",
            f"{name} {_no(r)}IN ({r.choice(choices)}, {r.choice(choices)})",
        ]
    )


def _number(r: random.Random) -> str:
    names, choices = r.choice(
        [(_MONEY_FIELDS, _MONEY), (_NUMBER_FIELDS, _NUMBERS), (_RATIO_FIELDS, _RATIOS)]
    )
    name = r.choice(names)
    return r.choice(
        [
            _numeric(r, name, choices),
            _numeric(r, name, choices),
            f"{name} {r.choice(_COMPARED)} {r.choice(names)}",
            f"{name} {r.choice(_COMPARED)} STORE {r.choice(['AVERAGE', 'MEDIAN'])}",
            f"{name} {_no(r)}IN {r.choice(['TOP', 'BOTTOM'])} {r.choice(['10', '25.0', '60'])}%",
            f"{name} IS {_no(r)}NULL",
        ]
    )


def _text(r: random.Random, name: str, choices: list[str]) -> str:
    value = r.choice(choices)
    pattern = r.choice(["CONTAINS", "STARTS WITH", "ENDS  WITH", "LIKE"])
    return r.choice(
        [
            f"{name} {r.choice(['=', '!='])} '{value}'",
            f"{name} {_no(r)}IN ('{value}', '{r.choice(choices)}')",
            f"{name} {_no(r)}{pattern} '{value}'",
            f"{name} IS {_no(r)}NULL",
        ]
    )


def _texts(r: random.Random) -> str:
    table = r.choice([_LISTS, _CHOICES, _TEXTS])
    name, choices = r.choice(list(table.items()))
    if table is _LISTS:
        no = _no(r)
        word = r.choice(["contains", "STARTS WITH", "LIKE"])
        return r.choice([f"{name} {no}{word} '{r.choice(choices)}'", f"{name} IS {no}NULL"])
    if table is _CHOICES:
        return f"{name} {r.choice(['=', '!='])} '{r.choice(choices)}'"
    return _text(r, name, choices)


def _orders(r: random.Random) -> str:
    code = r.choice([f"discount_code {r.choice(['=', '!='])} 'summer'", "discount_code IS NULL"])
    parameters = [
        _date(r, "date"),
        _numeric(r, "month", ["1", "6", "12"]),
        _numeric(r, "amount", _MONEY),
        _text(r, r.choice(["country"]), ["DE", "fr"]),
        r.choice(["channel != 'web'", "app_id = 42", "app_id != 42", "channel = 'pos'"]),
        code,
        f"location_id {r.choice(['=', '!='])} 1",
        _numeric(r, "count", _NUMBERS),
        _numeric(r, "sum_amount", _MONEY),
        _numeric(r, "share", _RATIOS),
    ]
    return _function(r, "orders_placed", parameters)


def _products(r: random.Random) -> str:
    names = {**_PRODUCT, **_TERMS}
    name = r.choice(list(names))
    parameters = [
        _date(r, "date"),
        _numeric(r, "month", ["1", "6", "12"]),
        _text(r, name, names[name]),
        f"id {r.choice(['= 11', '= 12', 'NOT IN (11, 13)', '!= 14', 'IS NULL'])}",
        _numeric(r, "count", _NUMBERS),
        _numeric(r, r.choice(["quantity", "sum_quantity"]), _NUMBERS),
        _numeric(r, "sum_amount", _MONEY),
    ]
    if r.random() < 0.1:
        truth = r.choice(["true", "false"])
        return f"products_purchased(id: {r.choice(['11', '(12, 13)'])}) = {truth}"
    return _function(r, "products_purchased", parameters)


def _function(r: random.Random, name: str, parameters: list[str]) -> str:
    chosen = r.sample(parameters, r.choice([0, 1, 1, 2, 2, 3]))
    return f"{name} {_no(r)}MATCHES ({', '.join(chosen)})"
