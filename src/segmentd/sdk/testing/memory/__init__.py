"""A shop and an e-mail platform in memory: the smallest connector there is, and the model of one.

Tests of other pieces use it without HTTP (``with registered("shop", MemoryShop()) as shop``); its
own tests serve it, since it passes the same suites as every connector.
"""

from segmentd.sdk.testing.memory.client import registered
from segmentd.sdk.testing.memory.destination import MemoryDestination
from segmentd.sdk.testing.memory.lists import MemoryLists
from segmentd.sdk.testing.memory.settings import MemorySettings
from segmentd.sdk.testing.memory.shop import MemoryShop
from segmentd.sdk.testing.memory.source import MemorySource

__all__ = [
    "MemoryDestination",
    "MemoryLists",
    "MemorySettings",
    "MemoryShop",
    "MemorySource",
    "registered",
]
