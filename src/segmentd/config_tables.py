"""The tables of the configuration file, key by key."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

from segmentd.domain.suggest import did_you_mean
from segmentd.sdk.settings import Duration

_MOST_DAYS = 36_525
"""A hundred years."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = did_you_mean(name, zoneinfo.available_timezones())
        raise ValueError(f'"{name}" is no time zone{near}') from error
    return name


def _currency(code: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValueError(f'"{code}" is no currency code; write for example EUR')
    return code


def _lease(span: timedelta) -> timedelta:
    if not timedelta(seconds=2) <= span <= timedelta(hours=1):
        raise ValueError("must be between 2s and 1h; the default is 60s")
    return span


def _days(text: object) -> int:
    found = re.fullmatch(r"(\d{1,5})d", text) if isinstance(text, str) else None
    if found is None or not 1 <= int(found[1]) <= _MOST_DAYS:
        raise ValueError("must be a number of days such as 30d")
    return int(found[1])


def _day(day: date) -> date:
    if not 1900 <= day.year <= 2199:
        raise ValueError(f"{day} lies outside of the years 1900 to 2199")
    return day


def _cron(text: str) -> str:
    # late: it loads a library that a file without such a line, and a probe, can do without
    from segmentd.scheduler import Cron

    Cron(text)
    return text


class Table(BaseModel):
    """A table of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreTable(Table):
    """``[store]``"""

    url: str = "sqlite:///segmentd.db"
    lease: Annotated[Duration, AfterValidator(_lease)] = timedelta(seconds=60)


class ShopTable(Table):
    """``[shop]``: overrides what the platforms say."""

    time_zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    week_start: Weekday = "monday"


class WebTable(Table):
    """``[web]``: where health and metrics are served."""

    enabled: bool = True
    # an empty one would be every address of the machine
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8090, ge=0, le=65535)


class GuardTable(Table):
    """``[guard]``: how much one push may remove before a person must confirm."""

    floor: int = Field(default=10, ge=0)
    share_of_name: float = Field(default=0.20, ge=0, le=1)
    share_of_all: float = Field(default=0.10, ge=0, le=1)


class Schedule(Table):
    """The keys of a ``[sources.NAME]`` table that are the core's own."""

    every: Duration | None = None
    cron: Annotated[str, AfterValidator(_cron)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Schedule:
        if self.every is not None and self.cron is not None:
            raise ValueError('has both "every" and "cron"; keep one of them')
        if self.every is not None and self.every < timedelta(seconds=1):
            raise ValueError('"every" must be at least 1s')
        return self


class PushTable(Table):
    """One element of ``push`` in its long form."""

    to: str
    tag: str | None = Field(default=None, min_length=1)
    list: str | None = Field(default=None, min_length=1)
    restore: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> PushTable:
        if self.tag is not None and self.list is not None:
            raise ValueError('has both "tag" and "list"; keep one of them')
        return self


class LimitTable(Table):
    """``limit`` of a segment."""

    count: int = Field(ge=1)
    by: str = Field(min_length=1)
    least: StrictBool = False


class PinTable(Table):
    """One element of ``pins``."""

    customer: str = Field(min_length=1)
    member: StrictBool
    reason: str = Field(min_length=1)
    until: Annotated[date, AfterValidator(_day)] | None = None


class SegmentTable(Table):
    """``[segments.KEY]``; the parameters of a preset are further keys of it."""

    title: str | None = Field(default=None, min_length=1)
    where: str = Field(min_length=1)
    push: tuple[str | dict[str, Any], ...] = ()
    stays: str = Field(default="", min_length=1)
    grace: Annotated[int, BeforeValidator(_days)] = 0
    limit: dict[str, Any] | None = None
    pins: tuple[dict[str, Any], ...] = ()


class SetTable(Table):
    """``[sets.NAME]``"""

    segments: tuple[str, ...]
