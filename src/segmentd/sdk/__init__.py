"""What a connector may import: ``from segmentd.sdk import Source, HttpClient, Customer, …``.

Names are loaded when first asked for, so that the core can import the contract without paying for
the HTTP client. How to write a connector: ``CONTRIBUTING.md``, walk 2.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentd.domain.cursor import Window as Window
    from segmentd.domain.errors import AuthError as AuthError
    from segmentd.domain.errors import ConfigError as ConfigError
    from segmentd.domain.errors import RejectedError as RejectedError
    from segmentd.domain.errors import SafetyStop as SafetyStop
    from segmentd.domain.errors import SegmentdError as SegmentdError
    from segmentd.domain.errors import TransientError as TransientError
    from segmentd.domain.fields import ACCOUNT_FIELDS as ACCOUNT_FIELDS
    from segmentd.domain.fields import ADDRESS_FIELDS as ADDRESS_FIELDS
    from segmentd.domain.fields import CONSENT_FIELDS as CONSENT_FIELDS
    from segmentd.domain.fields import COORDINATE_FIELDS as COORDINATE_FIELDS
    from segmentd.domain.fields import META_FIELDS as META_FIELDS
    from segmentd.domain.fields import METAFIELDS as METAFIELDS
    from segmentd.domain.fields import ORDER_FIELDS as ORDER_FIELDS
    from segmentd.domain.fields import PROFILE_FIELDS as PROFILE_FIELDS
    from segmentd.domain.identity import email_key as email_key
    from segmentd.domain.identity import tag_key as tag_key
    from segmentd.domain.records import Customer as Customer
    from segmentd.domain.records import Gone as Gone
    from segmentd.domain.records import Order as Order
    from segmentd.domain.records import OrderLine as OrderLine
    from segmentd.domain.records import Product as Product
    from segmentd.domain.records import Record as Record
    from segmentd.domain.records import Refund as Refund
    from segmentd.sdk.contract import Action as Action
    from segmentd.sdk.contract import Batch as Batch
    from segmentd.sdk.contract import Capabilities as Capabilities
    from segmentd.sdk.contract import Change as Change
    from segmentd.sdk.contract import Destination as Destination
    from segmentd.sdk.contract import DestinationInfo as DestinationInfo
    from segmentd.sdk.contract import Meter as Meter
    from segmentd.sdk.contract import Outcome as Outcome
    from segmentd.sdk.contract import Receipt as Receipt
    from segmentd.sdk.contract import Rejection as Rejection
    from segmentd.sdk.contract import Runtime as Runtime
    from segmentd.sdk.contract import ShopInfo as ShopInfo
    from segmentd.sdk.contract import Source as Source
    from segmentd.sdk.contract import Stream as Stream
    from segmentd.sdk.contract import StreamKind as StreamKind
    from segmentd.sdk.download import classify_range as classify_range
    from segmentd.sdk.download import read_lines as read_lines
    from segmentd.sdk.http import Auth as Auth
    from segmentd.sdk.http import Classify as Classify
    from segmentd.sdk.http import HttpClient as HttpClient
    from segmentd.sdk.http import HttpResponse as HttpResponse
    from segmentd.sdk.http import Outgoing as Outgoing
    from segmentd.sdk.http import classify_status as classify_status
    from segmentd.sdk.http import retry_after as retry_after
    from segmentd.sdk.pagination import Page as Page
    from segmentd.sdk.pagination import paginate as paginate
    from segmentd.sdk.rate_limit import CostBucket as CostBucket
    from segmentd.sdk.rate_limit import Pacer as Pacer
    from segmentd.sdk.rate_limit import TokenBucket as TokenBucket
    from segmentd.sdk.rate_limit import WindowLimits as WindowLimits
    from segmentd.sdk.retry import RetryPolicy as RetryPolicy
    from segmentd.sdk.settings import ConnectorSettings as ConnectorSettings
    from segmentd.sdk.settings import Duration as Duration
    from segmentd.sdk.settings import Secret as Secret
    from segmentd.sdk.values import clean as clean
    from segmentd.sdk.values import exponent as exponent
    from segmentd.sdk.values import instant as instant
    from segmentd.sdk.values import minor_units as minor_units

_HOMES = {
    "segmentd.domain.cursor": "Window",
    "segmentd.domain.errors": (
        "AuthError ConfigError RejectedError SafetyStop SegmentdError TransientError"
    ),
    "segmentd.domain.fields": (
        "ACCOUNT_FIELDS ADDRESS_FIELDS CONSENT_FIELDS COORDINATE_FIELDS META_FIELDS METAFIELDS "
        "ORDER_FIELDS PROFILE_FIELDS"
    ),
    "segmentd.domain.identity": "email_key tag_key",
    "segmentd.domain.records": "Customer Gone Order OrderLine Product Record Refund",
    "segmentd.sdk.contract": (
        "Action Batch Capabilities Change Destination DestinationInfo Meter Outcome Receipt "
        "Rejection Runtime ShopInfo Source Stream StreamKind"
    ),
    "segmentd.sdk.download": "classify_range read_lines",
    "segmentd.sdk.http": (
        "Auth Classify HttpClient HttpResponse Outgoing classify_status retry_after"
    ),
    "segmentd.sdk.pagination": "Page paginate",
    "segmentd.sdk.rate_limit": "CostBucket Pacer TokenBucket WindowLimits",
    "segmentd.sdk.retry": "RetryPolicy",
    "segmentd.sdk.settings": "ConnectorSettings Duration Secret",
    "segmentd.sdk.values": "clean exponent instant minor_units",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


if not TYPE_CHECKING:  # else every misspelt name would pass the type checker

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOME})
