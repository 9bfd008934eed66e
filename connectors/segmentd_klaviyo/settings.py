"""What the configuration says about a Klaviyo account."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from segmentd.sdk.settings import ConnectorSettings, Duration

ENDPOINT = "https://a.klaviyo.com"


class KlaviyoSettings(ConnectorSettings):
    """The table of a Klaviyo destination."""

    api_key_env: str | None = None
    """Environment variable with a private API key. Its scopes: accounts:read, flows:read,
    lists:read, lists:write, profiles:read, profiles:write; none that can change consent."""
    api_key_file: Path | None = None
    revision: str = Field(default="2026-07-15", pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Version of the API. The default is the revision of the official OpenAPI document that the
    sandbox checks every request against; a revision works for two years
    (developers.klaviyo.com, API versioning and deprecation policy)."""
    poll_every: Duration = timedelta(seconds=10)
    """Longest pause between two looks at a running import job; the first ones come sooner."""
    max_wait: Duration = timedelta(minutes=30)
    """How long to wait for one import job before its rows are left for the next push."""
    fill_flow_lists: bool = False
    """Fill a list for the first time although it triggers flows, that is, mails to its members."""
    adopt_members: bool = False
    """Take for ours who was on a list before a push puts them there: they are taken off when they
    leave the segment. For lists that segmentd filled before its database was lost."""
