"""A Shopify shop for tests, the demo and a new user's first hour."""

from segmentd_shopify.sandbox.api import ALL_SCOPES, ShopifySandbox

__all__ = ["ALL_SCOPES", "ShopifySandbox"]
