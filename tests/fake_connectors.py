"""A made-up shop and a made-up mailing list, registered by tests in place of what is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from segmentd.domain.cursor import Window
from segmentd.domain.errors import AuthError, ConfigError
from segmentd.domain.fields import ORDER_FIELDS
from segmentd.sdk.contract import (
    Batch,
    Capabilities,
    Change,
    Destination,
    DestinationInfo,
    Receipt,
    Runtime,
    ShopInfo,
    Source,
    Stream,
)
from segmentd.sdk.settings import ConnectorSettings, Duration


class ShopSettings(ConnectorSettings):
    """Of the made-up shop."""

    shop: str
    token_env: str | None = None
    token_file: Path | None = None
    auth: Literal["basic", "query"] = "basic"
    page: int = 100
    version: str = Field(default="2026-10", pattern=r"^\d{4}-\d\d$", max_length=7)
    lag: Duration | None = None

    @field_validator("shop")
    @classmethod
    def _named(cls, shop: str) -> str:
        if "." not in shop:
            raise ConfigError(f'"{shop}" is no shop')
        return shop


class ShopSource(Source):
    """Has no customers; refuses the token ``refused``."""

    Settings = ShopSettings
    streams: ClassVar[Sequence[Stream]] = (Stream("customers"), Stream("orders"))
    fields: ClassVar[frozenset[str]] = ORDER_FIELDS

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        self.settings = settings

    def info(self) -> ShopInfo:
        if self.settings.secret("token").reveal() == "refused":
            raise AuthError("the shop refuses the token")
        return ShopInfo("Made up", "EUR", "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC))

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        return iter(())

    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        return set()


class TagsDestination(Destination):
    """Takes names without commas."""

    Settings: ClassVar[type[ConnectorSettings]] = ShopSettings
    capabilities = Capabilities(kind="tags", batch_size=1, needs="customer_id")

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        self.settings = settings

    def info(self) -> DestinationInfo:
        return DestinationInfo("Made up", warnings=["may write more than it needs"])

    def check_name(self, name: str) -> None:
        if "," in name:
            raise ConfigError(f'the tag "{name}" holds a comma')

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        return iter(())


class ListsSettings(ConnectorSettings):
    """Of the made-up mailing list."""

    api_key_env: str | None = None
    api_key_file: Path | None = None


class ListsDestination(TagsDestination):
    """Has lists of e-mail addresses."""

    Settings = ListsSettings
    capabilities = Capabilities(kind="lists", batch_size=100, needs="email")


NOT_A_CLASS = "this is no connector"
