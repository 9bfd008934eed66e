from __future__ import annotations

import base64

import pytest

from segmentd.sdk.redaction import Redaction

PAIR = base64.b64encode(b"ck_key1234:cs_secret5678").decode()


@pytest.mark.parametrize(
    ("headers", "params", "text"),
    [
        ({"x-shopify-access-token": "shpat_123"}, {}, "your token shpat_123 is bad"),
        ({"authorization": "Bearer abc.def"}, {}, "abc.def"),
        ({"authorization": "Klaviyo-API-Key pk_12345"}, {}, "key=pk_12345"),
        ({"authorization": f"Basic {PAIR}"}, {}, f"{PAIR} ck_key1234 cs_secret5678"),
        ({}, {"consumer_secret": "cs_5678"}, "?consumer_secret=cs_5678"),
        ({}, {"oauth_signature": "sig/na+ture"}, "oauth_signature=sig/na+ture"),
    ],
)
def test_i14_what_a_request_carried_is_hidden(
    headers: dict[str, str], params: dict[str, str], text: str
) -> None:
    shown = Redaction.of(headers, params)(text)
    secrets = ["shpat_123", "abc.def", "pk_12345", PAIR, "ck_key1234", "cs_secret5678"]
    assert not [secret for secret in [*secrets, "cs_5678", "sig/na+ture"] if secret in shown]
    assert "***" in shown


def test_addresses_are_hidden() -> None:
    assert Redaction()("user ada@shopper.example and ada%40shopper.example") == "user *** and ***"


def test_harmless_words_stay() -> None:
    headers = {"accept": "application/json", "content-type": "application/json"}
    redaction = Redaction.of(headers, {"page": "orders", "per_page": "100"})
    assert redaction("orders: application/json 100") == "orders: application/json 100"


def test_a_header_that_only_looks_like_basic_credentials() -> None:
    assert Redaction.of({"authorization": "Basic %%%%"}, {})("say %%%%") == "say ***"
