"""What a store says about itself; pure."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from segmentd.sdk import ConfigError, ShopInfo, clean, exponent

ROOT_FIELDS = "name,gmt_offset,timezone_string,namespaces"
STATUS_FIELDS = "environment,settings"

_FRACTIONAL_ZONES = {
    -9.5: "Pacific/Marquesas",
    4.5: "Asia/Kabul",
    5.5: "Asia/Kolkata",
    5.75: "Asia/Kathmandu",
    6.5: "Asia/Yangon",
    8.75: "Australia/Eucla",
    9.5: "Australia/Darwin",
}
"""The zones that are always so far from UTC; ``Etc/GMT`` has whole hours only."""


def shop_info(
    root: Mapping[str, Any], status: Mapping[str, Any], host: str, now: datetime
) -> ShopInfo:
    """From the answers of ``/wp-json/`` (empty if closed to strangers) and ``system_status``."""
    settings = status["settings"]
    zone, warnings = _time_zone(root)
    return ShopInfo(
        name=html.unescape(clean(root.get("name")) or host),
        currency=settings["currency"],
        time_zone=zone,
        now=now.replace(microsecond=0),
        warnings=[*warnings, *_settings_warnings(settings)],
    )


def check_namespaces(root: Mapping[str, Any]) -> None:
    """ConfigError if the site has no WooCommerce; a site that tells nothing passes."""
    namespaces = root.get("namespaces")
    if isinstance(namespaces, list) and "wc/v3" not in namespaces:
        raise ConfigError("this WordPress has no wc/v3: install or switch on WooCommerce")


def _time_zone(root: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The IANA name of the site's zone, else of one with its fixed distance from UTC."""
    name = root.get("timezone_string")
    if isinstance(name, str) and _exists(name):
        return name, []
    try:
        hours = float(root["gmt_offset"])
    except (KeyError, TypeError, ValueError):
        return "UTC", ["the store does not tell its time zone: set time_zone under [shop]"]
    if hours in _FRACTIONAL_ZONES:
        return _FRACTIONAL_ZONES[hours], []
    # the sign of these names is turned round: POSIX
    fixed = f"Etc/GMT{-round(hours):+d}" if round(hours) else "UTC"
    if hours == round(hours) and _exists(fixed):
        return fixed, []
    return (fixed if _exists(fixed) else "UTC"), [
        f"the store's clock is UTC{hours:+g}, which has no name: days begin up to half an hour off;"
        " choose a city as the store's time zone"
    ]


def _exists(name: str) -> bool:
    try:
        return ZoneInfo(name).key == name
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def _settings_warnings(settings: Mapping[str, Any]) -> list[str]:
    warnings = []
    decimals = settings.get("number_of_decimals")
    needed = exponent(settings["currency"])
    if isinstance(decimals, int) and decimals < needed:
        warnings.append(
            f"the store rounds amounts to {decimals} decimals, {settings['currency']} has {needed}"
        )
    if settings.get("HPOS_enabled") is False:
        warnings.append(
            "orders are kept as posts: that their customer was deleted is seen only by a full read;"
            " high-performance order storage would show it"
        )
    return warnings
