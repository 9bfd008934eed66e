"""What a store says about itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from segmentd.sdk import AuthError, ConfigError, ConnectorSettings, Runtime, TransientError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd_woocommerce.info import check_namespaces, shop_info
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.source import WooCommerceSource


def test_of_the_recorded_store(recorded: Callable[[str], Any], clock: SandboxClock) -> None:
    root, _, _, status, *_ = recorded("store-info")["exchanges"]
    check_namespaces(root["body"])
    info = shop_info(root["body"], status["body"], "store.example", clock.now())
    assert (info.name, info.currency, info.time_zone) == ("Test Store", "USD", "America/New_York")
    assert info.warnings == []


@pytest.mark.parametrize(
    ("offset", "zone"),
    [
        (0, "UTC"),
        (-5, "Etc/GMT+5"),
        (14, "Etc/GMT-14"),
        ("2", "Etc/GMT-2"),
        (5.5, "Asia/Kolkata"),
        (5.75, "Asia/Kathmandu"),
        (-9.5, "Pacific/Marquesas"),
    ],
)
def test_a_fixed_distance_from_utc(offset: Any, zone: str, clock: SandboxClock) -> None:
    root = {"timezone_string": "", "gmt_offset": offset}
    info = shop_info(root, {"settings": {"currency": "EUR"}}, "store.example", clock.now())
    assert (info.time_zone, info.warnings) == (zone, [])
    assert clock.now().astimezone(ZoneInfo(zone)).utcoffset() == timedelta(hours=float(offset))


@pytest.mark.parametrize("root", [{}, {"timezone_string": "Mars/Crater", "gmt_offset": None}])
def test_an_unknown_zone_is_said(root: dict[str, Any], clock: SandboxClock) -> None:
    info = shop_info(root, {"settings": {"currency": "EUR"}}, "store.example", clock.now())
    assert info.time_zone == "UTC"
    assert "set time_zone under [shop]" in info.warnings[0]


def test_an_odd_distance_is_rounded_and_said(clock: SandboxClock) -> None:
    root = {"timezone_string": "", "gmt_offset": 3.5}
    info = shop_info(root, {"settings": {"currency": "EUR"}}, "store.example", clock.now())
    assert info.time_zone == "Etc/GMT-4"
    assert "half an hour off" in info.warnings[0]


def test_warns_of_what_the_store_loses(clock: SandboxClock) -> None:
    settings = {"currency": "EUR", "number_of_decimals": 0, "HPOS_enabled": False}
    root = {"timezone_string": "Europe/Berlin", "name": "Tea &amp; Co"}
    info = shop_info(root, {"settings": settings}, "store.example", clock.now())
    assert info.name == "Tea & Co"
    assert ["rounds amounts" in info.warnings[0], "posts" in info.warnings[1]] == [True, True]


def test_a_site_without_woocommerce() -> None:
    with pytest.raises(ConfigError, match="no wc/v3"):
        check_namespaces({"namespaces": ["wp/v2"]})


def test_asks_wordpress_without_and_woocommerce_with_the_key(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    info = source.info()
    assert info.now == sandbox.clock.now()
    root, status = [entry.request for entry in sandbox.log]
    assert (root.path, "oauth" in root.query_string) == ("/wp-json/", False)
    assert "oauth_signature=" in status.query_string


def test_a_site_closed_to_strangers(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    body = b'{"code":"rest_not_logged_in","message":"","data":{"status":401}}'
    sandbox.faults.append(faults.status(401, {"content-type": "application/json"}, body))
    info = source.info()
    assert (info.name, info.time_zone) == ("127.0.0.1", "UTC")


def test_permalinks_off(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    sandbox.permalinks = False
    with pytest.raises(ConfigError, match="permalinks are off"):
        source.info()


def test_no_such_site(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    sandbox.faults.append(faults.html(404))
    with pytest.raises(ConfigError, match="no WordPress"):
        source.info()


def test_settings_that_are_none(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    sandbox.faults += [faults.none(), faults.body(b'{"settings": {}}')]
    with pytest.raises(TransientError, match="not what a store says of itself"):
        source.info()


def test_a_wrong_key(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    sandbox.door.keys.clear()
    with pytest.raises(AuthError, match="consumer key"):
        source.info()


def test_takes_only_its_own_settings(runtime: Runtime) -> None:
    with pytest.raises(ConfigError, match="not the settings"):
        WooCommerceSource(ConnectorSettings(), runtime)
