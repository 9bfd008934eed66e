from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from segmentd.domain.errors import ConfigError
from segmentd.sdk.settings import ConnectorSettings, Duration, Secret, parse_duration


class ShopSettings(ConnectorSettings):
    token_env: str | None = None
    token_file: Path | None = None
    wait: Duration = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90), ("2m", 120), ("1.5h", 5400), ("1d", 86_400), (" 3s ", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert ShopSettings.model_validate({"wait": text}).wait == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "3", "s", "-3s", "3 weeks", "1h30m", 5, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="no duration"):
        ShopSettings.model_validate({"wait": text})


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError):
        ShopSettings.model_validate({"tokenenv": "X"})


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", " shpat_1 \n")
    settings = ShopSettings(token_env="SHOP_TOKEN")
    assert settings.has_secret("token")
    assert settings.secret("token").reveal() == "shpat_1"


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("shpat_2\n", encoding="utf-8")
    assert ShopSettings(token_file=path).secret("token").reveal() == "shpat_2"


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "nul\x00", "schlüssel"])
def test_an_unusable_secret_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    path = tmp_path / "token"
    path.write_bytes(value.encode())
    with pytest.raises(ConfigError) as raised:
        ShopSettings(token_file=path).secret("token")
    assert str(path) in str(raised.value)
    assert not value.strip() or value not in str(raised.value)


def test_a_missing_secret_names_what_to_set(tmp_path: Path) -> None:
    assert not ShopSettings().has_secret("token")
    with pytest.raises(ConfigError, match="token_env is missing"):
        ShopSettings().secret("token")
    with pytest.raises(ConfigError, match="SEGMENTD_NOT_SET, named by token_env"):
        ShopSettings(token_env="SEGMENTD_NOT_SET").secret("token")
    missing = tmp_path / "missing"
    with pytest.raises(ConfigError) as raised:
        ShopSettings(token_file=missing).secret("token")
    assert raised.value.message == (
        f"cannot read {missing}, named by token_file: No such file or directory"
    )


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="token, named by token_file, is no UTF-8 text"):
        ShopSettings(token_file=path).secret("token")


def test_i14_a_secret_does_not_show_itself() -> None:
    secret = Secret("sentinel")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {vars(ShopSettings())}"
    assert "sentinel" not in shown
    assert secret.reveal() == "sentinel"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "https://shop.example"),
        ("https://proxy.example/shop/", "https://proxy.example/shop"),
        ("http://127.0.0.1:8098", "http://127.0.0.1:8098"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_endpoints(url: str | None, expected: str) -> None:
    assert ShopSettings(base_url=url).endpoint("https://shop.example/") == expected


@pytest.mark.parametrize(
    "url",
    ["shop.example", "ftp://shop.example", "https://", "http://shop.example", "http://10.0.0.1"],
)
def test_endpoints_that_would_not_work_or_not_be_safe(url: str) -> None:
    with pytest.raises(ConfigError):
        ShopSettings(base_url=url).endpoint("https://shop.example")


def test_plain_http_only_by_explicit_wish() -> None:
    settings = ShopSettings(base_url="http://10.0.0.1", allow_insecure_http=True)
    assert settings.endpoint("https://shop.example") == "http://10.0.0.1"
