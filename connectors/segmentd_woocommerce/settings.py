"""Settings of a WooCommerce store; source and destination of one store share them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segmentd.sdk import ConnectorSettings

MetaKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=255)]
_PROFILE_KEYS = {
    *("description", "first_name", "last_name", "last_update", "locale", "nickname"),
    *("admin_color", "comment_shortcuts", "rich_editing", "syntax_highlighting", "use_ssl"),
    *("paying_customer", "show_admin_bar_front"),
}
"""Keys of WordPress's own profile data: written as customer meta they would overwrite it."""


class WooCommerceSettings(ConnectorSettings):
    """Which store, with which key, in which portions.

    The key is made in the store's admin under WooCommerce > Settings > Advanced > REST API; the
    right Read is enough for a source, a destination needs Read/Write:
    https://woocommerce.com/document/woocommerce-rest-api/
    """

    url: str | None = None
    """The store's own address (WordPress's "Site Address"), with the folder it lies in, if any."""
    key_env: str | None = None
    key_file: Path | None = None
    secret_env: str | None = None
    secret_file: Path | None = None
    auth: Literal["auto", "basic", "query", "oauth1"] = "auto"
    """How the key is shown; ``auto``: OAuth 1.0a over plain http; over https Basic, and in the
    query where the host strips the Authorization header."""
    per_page: Annotated[int, Field(ge=1, le=100)] = 100
    """Most records in one answer; asked for are as many as the host makes in good time."""
    load: Annotated[float, Field(ge=0.01, le=1)] = 0.5
    """Share of the time in which a request of this process may be in flight at the shop, reading
    and writing together; 1: the next follows at once. One request keeps a core of the shop busy:
    by half of the time a backfill reads 30 to 90 orders a second from a store on two cores."""
    meta_key: MetaKey = "segmentd_tags"
    """Customer meta that holds our tags. A leading ``_`` would be dropped without an error."""
    meta: Annotated[tuple[MetaKey, ...], Field(max_length=50)] = ()
    """Further keys of customer meta that rules ask for as ``meta.KEY``; the store shows none that
    begin with ``_``."""
    customer_role: Annotated[str, Field(min_length=1)] = "all"
    """Read accounts of this role only; ``all``: staff too, who may be customers as well."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.url or self.base_url):
            raise ValueError("url is missing: the address of the store")
        for key in ("key", "secret"):
            if not self.has_secret(key):
                raise ValueError(f"{key}_env is missing: the variable with the consumer {key}")
        if self.meta_key in _PROFILE_KEYS:
            raise ValueError(f"meta_key {self.meta_key!r} is WordPress's own: choose another")
        return self

    @property
    def store(self) -> str:
        """Where the store is reached, without a trailing slash."""
        return self.endpoint(self.url or "")
