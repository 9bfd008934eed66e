"""Settings of the memory connector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentd.sdk.settings import ConnectorSettings


class MemorySettings(ConnectorSettings):
    """Either ``shop``, the name of something registered in this process, or ``base_url``."""

    shop: str | None = None
    token_env: str | None = None
    page_size: int = Field(default=50, ge=1)
    """Records in one page."""
    batch_size: int = Field(default=20, ge=1, le=100)
    """Customers in one write."""
    kind: Literal["tags", "lists"] = "tags"
    """What the destination is: a shop whose customers get tags, or a platform with lists."""
