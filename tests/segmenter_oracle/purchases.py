"""Real purchase histories as frames: gzipped CSV files as they come with segmentd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.frames import (
    EVENT_COLUMNS,
    MEMBERSHIP_COLUMNS,
    PRODUCT_COLUMNS,
    PROFILE_COLUMNS,
    REFUND_COLUMNS,
    TRAIT_COLUMNS,
    Frames,
)


class Purchases:
    """The frames of a history; profile ids count from 1 in the order of the customers' ids."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        customers = self._read("customers").sort_values("customer_id", ignore_index=True)
        self.customer_ids: list[str] = customers["customer_id"].to_list()
        """Of the profiles 1, 2, 3, …"""
        self._orders = self._make_orders()
        products = self._read("products") if self._has("products") else pd.DataFrame()
        lines = self._read("order_lines")
        names = sorted(set(lines["product_id"]))
        self.frames = Frames(
            _profiles(customers),
            self._orders,
            self._lines(lines, names),
            self._refunds(),
            _products(names, products),
            _nothing(EVENT_COLUMNS),
            _nothing(TRAIT_COLUMNS),
            _nothing(MEMBERSHIP_COLUMNS),
        )

    def _has(self, name: str) -> bool:
        return (self._folder / f"{name}.csv.gz").exists()

    def _read(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self._folder / f"{name}.csv.gz", dtype=str, keep_default_na=False)

    def _make_orders(self) -> pd.DataFrame:
        rows = self._read("orders").reset_index(names="order_number")
        rows = rows[rows["customer_id"] != ""]
        profile = {name: number for number, name in enumerate(self.customer_ids, start=1)}
        return pd.DataFrame(
            {
                "order_id": rows["order_number"],
                "profile_id": rows["customer_id"].map(profile).astype("int64"),
                "placed_at": _seconds(rows["created_at"]),
                "cancelled_at": np.nan,
                "counted": 1,
                "total": rows["total_cents"].astype("float64"),
                "discount": 0.0,
                "channel": None,
                "country": rows["country_code"],
                "discount_codes": "",
                "tags": "",
                "name": rows["order_id"],
            }
        )

    def _of_orders(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of known orders, with the orders' columns."""
        facts = ["name", "order_id", "profile_id", "placed_at", "cancelled_at", "counted"]
        return rows.rename(columns={"order_id": "name"}).merge(self._orders[facts], on="name")

    def _lines(self, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        number = {name: number for number, name in enumerate(names, start=1)}
        lines = self._of_orders(rows)
        return lines.assign(
            product_id=lines["product_id"].map(number).astype("int64"),
            quantity=lines["quantity"].astype("int64"),
            amount=lines["amount_cents"].astype("float64"),
            discount=0.0,
        )

    def _refunds(self) -> pd.DataFrame:
        if not self._has("refunds"):
            return _nothing(REFUND_COLUMNS)
        refunds = self._of_orders(self._read("refunds"))
        return refunds.assign(
            created_at=_seconds(refunds["created_at"]),
            amount=refunds["amount_cents"].astype("float64"),
        )


def _nothing(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


def _seconds(column: pd.Series[str]) -> npt.NDArray[np.int64]:
    instants = column.str.rstrip("Z").to_numpy("datetime64[s]")
    return instants.astype(np.int64)


def _profiles(customers: pd.DataFrame) -> pd.DataFrame:
    profiles = pd.DataFrame(index=customers.index, columns=list(PROFILE_COLUMNS), dtype=object)
    profiles["profile_id"] = np.arange(1, len(customers) + 1)
    profiles["source"] = "shop"
    profiles["customer_id"] = customers["customer_id"]
    profiles[["latitude", "longitude"]] = np.nan
    profiles["created_at"] = _seconds(customers["created_at"]).astype(np.float64)
    profiles["country"] = customers["country_code"]
    profiles["tags"] = ""
    return profiles


def _products(names: list[str], known: pd.DataFrame) -> pd.DataFrame:
    types = dict(zip(known["product_id"], known["product_type"], strict=True)) if len(known) else {}
    products = pd.DataFrame(index=range(len(names)), columns=list(PRODUCT_COLUMNS), dtype=object)
    products["product_id"] = np.arange(1, len(names) + 1)
    products["remote_id"] = names
    products["product_type"] = [types.get(name) for name in names]
    products["tags"] = products["categories"] = ""
    products[["published_at", "price"]] = np.nan
    return products
