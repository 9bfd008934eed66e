"""Lists: filters, order, pages and the headers that count them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from segmentd_woocommerce.sandbox.arguments import Sent, moment
from segmentd_woocommerce.sandbox.store import (
    STATUSES,
    CustomerRow,
    Dated,
    OrderRow,
    Row,
    Table,
)

Values = Mapping[str, Any]


def customers(table: Table[CustomerRow], values: Values) -> list[CustomerRow]:
    """Users; only role ``customer`` by default; no filter by date."""
    rows: Iterable[CustomerRow] = _ordered(table, values, _CUSTOMER_KEYS)
    if values["role"] != "all":
        rows = [row for row in rows if row.role == values["role"]]
    if values["email"]:
        rows = [row for row in rows if row.email.lower() == values["email"].lower()]
    if values["search"]:
        needle = values["search"].lower()
        rows = [row for row in rows if needle in f"{row.email} {_name(row)}".lower()]
    return _narrowed(rows, values)


def orders(table: Table[OrderRow], values: Values, zone: ZoneInfo) -> list[OrderRow]:
    """Orders; ``any`` hides the trash even where ``trash`` is asked for beside it."""
    asked = values["status"]
    shown = set(STATUSES) if "any" in asked else set(asked)
    rows = dated(table, values, zone)
    if values["customer"] is not None:
        rows = [row for row in rows if row.customer_id == values["customer"]]
    return [row for row in rows if row.status in shown]


def dated(table: Table[Row], values: Values, zone: ZoneInfo) -> list[Row]:
    """Rows of a kind that has filters by date; all bounds are exclusive."""
    rows: Iterable[Row] = _ordered(table, values, _POST_KEYS)
    for name, stamp, after in _BOUNDS:
        if values[name] is not None:
            bound = moment(values[name], zone, gmt=values["dates_are_gmt"])
            rows = _beyond(rows, bound, stamp, after=after)
    return _narrowed(rows, values)


def _beyond(
    rows: Iterable[Row], bound: datetime, stamp: Callable[[Dated], datetime], *, after: bool
) -> list[Row]:
    if after:
        return [row for row in rows if stamp(row) > bound]
    return [row for row in rows if stamp(row) < bound]


def _created(row: Dated) -> datetime:
    return row.created


def _modified(row: Dated) -> datetime:
    """MySQL compares 0000-00-00, shown as null, as before everything."""
    return row.modified or datetime.min.replace(tzinfo=UTC)


def _name(row: CustomerRow) -> str:
    return f"{row.first_name} {row.last_name}".strip()


_BOUNDS: list[tuple[str, Callable[[Dated], datetime], bool]] = [
    ("after", _created, True),
    ("before", _created, False),
    ("modified_after", _modified, True),
    ("modified_before", _modified, False),
]
_POST_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "date": lambda row: (_created(row), row.id),
    # by local time, which a draft has even if it has no time in GMT
    "modified": lambda row: (row.modified or _created(row), row.id),
    "id": lambda row: row.id,
}
_CUSTOMER_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda row: (_name(row).lower(), row.id),
    "registered_date": lambda row: (_created(row), row.id),
    "id": lambda row: row.id,
}


def _ordered(
    table: Table[Row], values: Values, keys: Mapping[str, Callable[[Any], Any]]
) -> Sequence[Row]:
    by = values["orderby"]
    if by == "include":
        return [table.rows[id_] for id_ in values["include"] if id_ in table.rows]
    rows = table.in_order(by, keys.get(by, keys["id"]))
    return rows if values["order"] == "asc" else rows[::-1]


def _narrowed(rows: Iterable[Row], values: Values) -> list[Row]:
    if values["include"]:
        wanted = set(values["include"])
        rows = [row for row in rows if row.id in wanted]
    if values["exclude"]:
        unwanted = set(values["exclude"])
        rows = [row for row in rows if row.id not in unwanted]
    return list(rows)


def part(rows: Sequence[Row], values: Values) -> Sequence[Row]:
    """One page; ``offset`` overrides ``page``."""
    size = values["per_page"]
    start = values["offset"] if values["offset"] else (values["page"] - 1) * size
    return rows[start : start + size]


def headers(
    total: int, values: Values, sent: Mapping[str, Sent], url: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """Totals and the links to the pages beside this one.

    The links repeat what was sent, credentials included, and ``extra``.
    """
    pages = -(-total // values["per_page"])
    found = {"x-wp-total": str(total), "x-wp-totalpages": str(pages), "allow": "GET, POST"}
    page = values["page"]
    links = []
    if page > 1:
        links.append((min(page - 1, pages), "prev"))
    if page < pages:
        links.append((page + 1, "next"))
    parts = [f'<{url}?{_query(sent, extra, number)}>; rel="{rel}"' for number, rel in links]
    if parts:
        found["link"] = ", ".join(parts)
    return found


def _query(sent: Mapping[str, Sent], extra: Mapping[str, str], page: int) -> str:
    params: dict[str, str] = {}
    for name, value in sent.items():
        if name == "status":
            continue
        if isinstance(value, list):
            params |= {f"{name}[{index}]": element for index, element in enumerate(value)}
        else:
            params[name] = "1" if name == "dates_are_gmt" and value == "true" else value
    params |= extra
    params["page"] = str(page)
    return "&".join(f"{quote(name, safe='')}={quote(params[name], safe='')}" for name in params)
