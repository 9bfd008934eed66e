"""Settings of a Shopify shop; source and destination of one shop share them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from segmentd.sdk import ConnectorSettings

Metafield = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{3,255}\.[A-Za-z0-9_-]{2,64}$")]
NEWEST_VERSION = "2026-10"
"""The API version that the operations are written for; they stay valid on 2026-07."""


class ShopifySettings(ConnectorSettings):
    """Which shop, with which credentials, in which portions.

    Credentials are either a permanent admin token (``token_env`` / ``token_file``), or the client
    id and secret of an app of one's own organisation (client credentials grant):
    https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens
    """

    shop: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$", examples=["example.myshopify.com"]),
    ]
    token_env: str | None = None
    token_file: Path | None = None
    client_id_env: str | None = None
    client_id_file: Path | None = None
    client_secret_env: str | None = None
    client_secret_file: Path | None = None
    api_version: Annotated[str, Field(pattern=r"^20\d\d-(01|04|07|10)$")] = NEWEST_VERSION
    metafields: Annotated[
        tuple[Metafield, ...], Field(max_length=50, examples=["facts.birth_date"])
    ] = ()
    """Metafields of customers that rules ask for, as NAMESPACE.KEY. A change of one alone does not
    count as a change of its customer: a new backfill, or the customer's next change, brings it."""
    customers_page: Annotated[int, Field(ge=1, le=250)] = 250
    """35 cost points a page, and 11 for each metafield."""
    orders_page: Annotated[int, Field(ge=1, le=250)] = 100
    """With 20 lines 137 cost points a page; 250 with 250 lines, the most, 299 of 1000 allowed."""
    lines_page: Annotated[int, Field(ge=1, le=250)] = 20
    """Lines that come with their order; further ones cost a request for each order."""
    products_page: Annotated[int, Field(ge=1, le=250)] = 250
    """90 cost points a page."""
    bulk_from: Annotated[int, Field(ge=1, le=25_000)] = 5_000
    """Records in a window from which one bulk operation is cheaper than pages.

    5,000 orders are 50 pages of 137 points: 6,850 points, for which a shop on the Standard plan
    (2,000 points in the bucket, 100 a second) takes 50 seconds, as long as a bulk operation from
    its beginning to its file; that one takes 10 points and 1 for each look at it, however many
    orders there are. Below, pages are there sooner; far above, they take the points that tags need
    (a million orders: 1,370,000 points, nearly four hours), and Shopify documents 25,000 records as
    the end of paging through one list. A page of customers or products costs less for more, so that
    the two ways differ little up to there."""

    @model_validator(mode="after")
    def _one_kind_of_credentials(self) -> Self:
        token = self.has_secret("token")
        app = self.has_secret("client_id") or self.has_secret("client_secret")
        if token and app:
            raise ValueError("give either token_env or client_id_env and client_secret_env")
        if not token and not (self.has_secret("client_id") and self.has_secret("client_secret")):
            raise ValueError("token_env is missing (or client_id_env and client_secret_env)")
        return self

    @property
    def url(self) -> str:
        """Where the shop's API lives, without a trailing slash."""
        return self.endpoint(f"https://{self.shop}")
