"""The query of a list: what is known is checked, what is unknown is ignored without a word.

From the OPTIONS answers of WooCommerce 10.5 and WordPress's messages about wrong values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from segmentd_woocommerce.sandbox.answers import Refusal
from segmentd_woocommerce.sandbox.store import STATUSES

_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:\d\d)?)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TRUE, _FALSE = {"1", "true"}, {"0", "false", ""}

Sent = str | list[str]


class WrongError(Exception):
    """A value is refused: code and message as WordPress has them."""

    def __init__(self, code: str, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True)
class Argument:
    """One known parameter: how its value is read, and what it is if not sent."""

    read: Callable[[str, Sent], Any]
    default: Any = None


def integer(least: int | None = None, most: int | None = None) -> Callable[[str, Sent], int]:
    """A whole number."""

    def read(name: str, sent: Sent) -> int:
        if not isinstance(sent, str) or not re.fullmatch(r"-?\d+", sent):
            raise _wrong_type(name, "integer")
        number = int(sent)
        if least is not None and most is not None and not least <= number <= most:
            text = f"{name} must be between {least} (inclusive) and {most} (inclusive)"
            raise WrongError("rest_out_of_bounds", text)
        if least is not None and number < least:
            text = f"{name} must be greater than or equal to {least}"
            raise WrongError("rest_out_of_bounds", text)
        return number

    return read


def one_of(*values: str) -> Callable[[str, Sent], str]:
    """A word of a list."""

    def read(name: str, sent: Sent) -> str:
        if sent not in values:
            listed = f"{', '.join(values[:-1])}, and {values[-1]}"
            raise WrongError("rest_not_in_enum", f"{name} is not one of {listed}.")
        return str(sent)

    return read


def several(read_one: Callable[[str, Sent], Any]) -> Callable[[str, Sent], list[Any]]:
    """A list: with commas, or as ``name[]=``."""

    def read(name: str, sent: Sent) -> list[Any]:
        parts = (
            [part for part in re.split(r"[,\s]+", sent) if part] if isinstance(sent, str) else sent
        )
        return [read_one(f"{name}[{index}]", part) for index, part in enumerate(parts)]

    return read


def date(name: str, sent: Sent) -> str:  # noqa: ARG001 - the message has no name
    """An instant, still to be understood by the store's zone."""
    if not isinstance(sent, str) or not _DATE.fullmatch(sent):
        raise WrongError("rest_invalid_date", "Invalid date.")
    return sent


def email(name: str, sent: Sent) -> str:  # noqa: ARG001 - the message has no name
    """An e-mail address."""
    if not isinstance(sent, str) or not _EMAIL.fullmatch(sent):
        raise WrongError("rest_invalid_email", "Invalid email address.")
    return sent


def flag(name: str, sent: Sent) -> bool:
    """Yes or no."""
    if not isinstance(sent, str) or sent.lower() not in _TRUE | _FALSE:
        raise _wrong_type(name, "boolean")
    return sent.lower() in _TRUE


def text(name: str, sent: Sent) -> str:
    """Any text."""
    if not isinstance(sent, str):
        raise _wrong_type(name, "string")
    return sent


def _wrong_type(name: str, kind: str) -> WrongError:
    return WrongError("rest_invalid_type", f"{name} is not of type {kind}.", {"param": name})


_PAGES = {
    "context": Argument(one_of("view", "edit"), "view"),
    "page": Argument(integer(1), 1),
    "per_page": Argument(integer(1, 100), 10),
    "search": Argument(text),
    "exclude": Argument(several(integer()), []),
    "include": Argument(several(integer()), []),
    "offset": Argument(integer()),
}
_POSTS = {
    **_PAGES,
    "after": Argument(date),
    "before": Argument(date),
    "modified_after": Argument(date),
    "modified_before": Argument(date),
    "dates_are_gmt": Argument(flag, default=False),
    "order": Argument(one_of("asc", "desc"), "desc"),
    "orderby": Argument(one_of("date", "id", "include", "title", "slug", "modified"), "date"),
}
_ROLES = (
    *("all", "administrator", "editor", "author", "contributor", "subscriber"),
    *("customer", "shop_manager", "wholesale_customer"),
)

CUSTOMERS = {
    **_PAGES,
    "order": Argument(one_of("asc", "desc"), "asc"),
    "orderby": Argument(one_of("id", "include", "name", "registered_date"), "name"),
    "email": Argument(email),
    "role": Argument(one_of(*_ROLES), "customer"),
}
ORDERS = {
    **_POSTS,
    "status": Argument(several(one_of("any", "trash", "auto-draft", *STATUSES)), ["any"]),
    "customer": Argument(integer()),
}
REFUNDS = _POSTS
PRODUCTS = {
    **_POSTS,
    "orderby": Argument(
        one_of("date", "id", "include", "title", "slug", "modified", "popularity", "price"), "date"
    ),
}
TERMS = {**_PAGES, "order": Argument(one_of("asc", "desc"), "asc")}


def sent_in(query_string: str) -> dict[str, Sent]:
    """The query as PHP reads it: the last of a name counts, ``name[]`` makes a list."""
    sent: dict[str, Sent] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        listed = re.fullmatch(r"(\w+)\[\d*\]", name)
        if listed is None:
            sent[name] = value
        else:
            before = sent.get(listed[1])
            sent[listed[1]] = [*(before if isinstance(before, list) else []), value]
    return sent


def read_arguments(sent: Mapping[str, Sent], known: Mapping[str, Argument]) -> dict[str, Any]:
    """The values of all known arguments; Refusal that names those with wrong values."""
    values = {name: argument.default for name, argument in known.items()}
    wrong: dict[str, WrongError] = {}
    for name, argument in known.items():
        if name in sent:
            try:
                values[name] = argument.read(name, sent[name])
            except WrongError as error:
                wrong[name] = error
    if wrong:
        raise invalid(wrong)
    return values


def invalid(wrong: Mapping[str, WrongError]) -> Refusal:
    """The answer to wrong values."""
    return Refusal(
        400,
        "rest_invalid_param",
        f"Invalid parameter(s): {', '.join(wrong)}",
        params={name: error.message for name, error in wrong.items()},
        details={
            name: {"code": error.code, "message": error.message, "data": error.data}
            for name, error in wrong.items()
        },
    )


def moment(sent: str, zone: ZoneInfo, *, gmt: bool) -> datetime:
    """The instant that a date filter means: whole seconds; by default in the store's zone."""
    found = datetime.fromisoformat(sent.replace(" ", "T")).replace(microsecond=0)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC if gmt else zone)
    return found.astimezone(UTC)
