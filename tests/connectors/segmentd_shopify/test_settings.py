from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from segmentd.config import load_config
from segmentd.sdk import ConfigError
from segmentd_shopify.settings import ShopifySettings


def settings(**table: object) -> ShopifySettings:
    table = {"shop": "example.myshopify.com", "token_env": "SHOPIFY_TOKEN", **table}
    return ShopifySettings.model_validate(
        {key: value for key, value in table.items() if value is not None}
    )


def test_the_shop_is_the_address() -> None:
    assert settings().url == "https://example.myshopify.com"


def test_another_endpoint_replaces_the_address_only() -> None:
    made = settings(base_url="http://127.0.0.1:8098/")
    assert made.url == "http://127.0.0.1:8098"
    assert made.shop == "example.myshopify.com"


@pytest.mark.parametrize(
    "shop",
    [
        "example.com",
        "https://example.myshopify.com",
        "example.myshopify.com/admin",
        "Example.myshopify.com",
        "-example.myshopify.com",
        "evil.example/.myshopify.com",
        "evil.example#.myshopify.com",
        "example.myshopify.com.evil.example",
        "example.myshopify.com\n",
    ],
)
def test_refuses_what_is_no_shop(shop: str) -> None:
    with pytest.raises(ValidationError, match="shop"):
        settings(shop=shop)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('shop = "https://example.myshopify.com/admin"', '"shop" must look like example.myshopify'),
        ('shop = "a.myshopify.com"\napi_version = "10"', '"api_version" must look like 2026-10'),
        ('shop = "a.myshopify.com"\nmetafields = ["x"]', "look like facts.birth_date"),
    ],
)
def test_what_has_another_form_is_answered_by_an_example(
    tmp_path: Path, table: str, sentence: str
) -> None:
    config = tmp_path / "segmentd.toml"
    config.write_text(f'[sources.shop]\nconnector = "shopify"\ntoken_env = "T"\n{table}\n')
    with pytest.raises(ConfigError, match=sentence):
        load_config(config)


def test_plain_http_only_on_this_machine() -> None:
    with pytest.raises(ConfigError, match="plain http"):
        _ = settings(base_url="http://proxy.example").url


def test_reads_the_token_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPIFY_TOKEN", "shpat_1")
    assert settings().secret("token").reveal() == "shpat_1"


def test_reads_the_token_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("shpat_2\n")
    assert settings(token_env=None, token_file=path).secret("token").reveal() == "shpat_2"


def test_app_credentials_replace_the_token() -> None:
    made = settings(token_env=None, client_id_env="ID", client_secret_env="SECRET")
    assert not made.has_secret("token")


@pytest.mark.parametrize(
    "table",
    [
        {"token_env": None},
        {"token_env": None, "client_id_env": "ID"},
        {"token_env": None, "client_secret_env": "SECRET"},
        {"client_id_env": "ID", "client_secret_env": "SECRET"},
    ],
    ids=["none", "no-secret", "no-id", "both"],
)
def test_credentials_are_of_one_kind_and_whole(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="token_env"):
        settings(**table)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="tokne_env"):
        settings(tokne_env="X")


@pytest.mark.parametrize("version", ["2026-02", "latest", "unstable", "26-10"])
def test_versions_are_quarters(version: str) -> None:
    with pytest.raises(ValidationError, match="api_version"):
        settings(api_version=version)


@pytest.mark.parametrize("key", ["customers_page", "orders_page", "lines_page", "products_page"])
@pytest.mark.parametrize("size", [0, 251])
def test_pages_are_what_shopify_allows(key: str, size: int) -> None:
    with pytest.raises(ValidationError, match=key):
        settings(**{key: size})


def test_metafields_are_namespace_and_key() -> None:
    assert settings(metafields=["facts.birth_date"]).metafields == ("facts.birth_date",)


@pytest.mark.parametrize(
    "metafield", ["birth_date", "facts.", "a.b.c", 'facts.x"y', "$app.key", "facts.x" + "y" * 64]
)
def test_other_names_are_no_metafields(metafield: str) -> None:
    with pytest.raises(ValidationError, match="metafields"):
        settings(metafields=[metafield])


def test_metafields_leave_room_for_the_page() -> None:
    with pytest.raises(ValidationError, match="at most 50"):
        settings(metafields=[f"facts.number-{n}" for n in range(51)])
