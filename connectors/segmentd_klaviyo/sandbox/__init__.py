"""A Klaviyo account on this machine, as strict as the real one: see ``NOTICE`` for its document."""

from segmentd_klaviyo.sandbox.account import Account, ImportJob
from segmentd_klaviyo.sandbox.document import document
from segmentd_klaviyo.sandbox.service import API_KEY, KlaviyoSandbox

__all__ = ["API_KEY", "Account", "ImportJob", "KlaviyoSandbox", "document"]
