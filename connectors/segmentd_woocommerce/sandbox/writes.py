"""Changing customers, with the gaps that the real API has.

Single updates are checked against the schema, items of a batch are not: an address that is none
empties the account's e-mail there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from segmentd_woocommerce.sandbox.answers import Refusal
from segmentd_woocommerce.sandbox.arguments import WrongError, email, invalid
from segmentd_woocommerce.sandbox.store import CustomerRow, Meta, Store

BATCH_LIMIT = 100
_TAGS = re.compile(r"<[^>]*>")


def body_of(content: bytes) -> dict[str, Any]:
    """The JSON object that was sent; Refusal if it is none."""
    try:
        body = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refusal(
            400,
            "rest_invalid_json",
            "Invalid JSON body passed.",
            json_error_code=4,
            json_error_message="Syntax error",
        ) from error
    return body if isinstance(body, dict) else {}


def missing_user() -> Refusal:
    """The answer about a customer that is not, or no longer, there."""
    return Refusal(404, "wc_user_invalid_id", "Invalid user ID.")


def check_schema(body: Mapping[str, Any]) -> None:
    """What a single update is checked for."""
    wrong = {}
    if "meta_data" in body and not isinstance(body["meta_data"], list):
        text = "meta_data is not of type array."
        wrong["meta_data"] = WrongError("rest_invalid_type", text, {"param": "meta_data"})
    if "email" in body:
        try:
            email("email", body["email"])
        except WrongError as error:
            wrong["email"] = error
    if wrong:
        raise invalid(wrong)


def update(store: Store, row: CustomerRow, body: Mapping[str, Any], now: datetime) -> None:
    """Merge what was sent into a customer; unknown fields and the role are ignored."""
    if "email" in body:
        _set_email(store, row, str(body["email"]))
    for name in ("first_name", "last_name"):
        if name in body:
            setattr(row, name, _TAGS.sub("", str(body[name])))
    for name in ("billing", "shipping"):
        if isinstance(body.get(name), dict):
            getattr(row, name).update({key: str(value) for key, value in body[name].items()})
    if isinstance(body.get("meta_data"), list):
        for item in body["meta_data"]:
            _set_meta(store, row, item)
    # moves whether or not anything changed
    row.modified = now.replace(microsecond=0)
    store.customers.put(row)


def _set_email(store: Store, row: CustomerRow, sent: str) -> None:
    others = (other for other in store.customers.rows.values() if other.id != row.id)
    if any(other.email.lower() == sent.lower() for other in others if other.email):
        code = "woocommerce_rest_customer_invalid_email"
        raise Refusal(400, code, "Email address is invalid.")
    try:
        row.email = email("email", sent)
    except WrongError:
        row.email = ""


def _set_meta(store: Store, row: CustomerRow, item: object) -> None:
    key = item.get("key") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(key, str) or not key:
        return
    if key.startswith("_") or len(key) > 255:
        return  # answered with 200, neither stored nor shown
    if key in {"first_name", "last_name"}:
        setattr(row, key, str(item.get("value")))
        return
    value = _kept(item.get("value"))
    found = next((meta for meta in row.meta if meta.key == key), None)
    if value is None:
        row.meta = [meta for meta in row.meta if meta.key != key]
    elif found is None:
        row.meta.append(Meta(store.next_meta(), key, value))
    else:
        found.value = value


def _kept(value: object) -> object:
    """As it comes back: numbers and booleans as texts."""
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value) if isinstance(value, int | float) else value
