"""Settings of a store."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from segmentd.sdk import ConfigError
from segmentd_woocommerce.settings import WooCommerceSettings

KEYS = {"key_env": "WOO_KEY", "secret_env": "WOO_SECRET"}


def load(**changes: object) -> WooCommerceSettings:
    return WooCommerceSettings.model_validate({"url": "https://store.example/", **KEYS, **changes})


def test_defaults() -> None:
    settings = load()
    assert settings.store == "https://store.example"
    assert (settings.auth, settings.per_page, settings.load) == ("auto", 100, 0.5)
    assert (settings.meta_key, settings.customer_role) == ("segmentd_tags", "all")


def test_another_endpoint() -> None:
    assert load(base_url="http://127.0.0.1:8098").store == "http://127.0.0.1:8098"
    assert load(url=None, base_url="http://127.0.0.1:8098").store == "http://127.0.0.1:8098"


def test_a_shop_in_a_folder() -> None:
    assert load(url="https://store.example/shop/").store == "https://store.example/shop"


def test_plain_http_only_where_it_is_allowed() -> None:
    with pytest.raises(ConfigError, match="plain http"):
        _ = load(url="http://store.example").store
    assert load(url="http://store.example", allow_insecure_http=True).store


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": None}, "url is missing"),
        ({"key_env": None}, "key_env is missing"),
        ({"secret_env": None}, "secret_env is missing"),
        ({"per_page": 0}, "greater than or equal to 1"),
        ({"per_page": 101}, "less than or equal to 100"),
        ({"load": 0}, "greater than or equal to 0.01"),
        ({"load": 1.1}, "less than or equal to 1"),
        ({"auth": "digest"}, "'basic', 'query' or 'oauth1'"),
        ({"meta_key": "_hidden"}, "should match pattern"),
        ({"meta_key": "first_name"}, "WordPress's own"),
        ({"meta_key": "x" * 256}, "at most 255"),
        ({"meta": ["_hidden"]}, "should match pattern"),
        ({"meta": ["two.parts"]}, "should match pattern"),
        ({"meta": ["x" * 256]}, "at most 255"),
        ({"meta": [f"key{n}" for n in range(51)]}, "at most 50"),
        ({"consumer_key": "ck_1"}, "Extra inputs"),
    ],
)
def test_refuses(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        load(**changes)
