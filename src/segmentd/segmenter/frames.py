"""The shape in which the segmenter gets its facts: frames for one partition of profiles.

Instants are epoch seconds (UTC), money is in minor units of the store currency; both are int64,
or float64 with NaN where a column may be missing (exact below 2**53). Text columns are object
columns of ``str`` or None. List columns are one text: every element in front of a newline,
beginning with a newline (``"\\nVIP\\nwholesale\\n"``), and ``""`` for an empty list; see ``pack``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PROFILE_COLUMNS = (
    "profile_id",  # int64, unique, ascending
    "source",  # name of the source of the main customer
    "customer_id",  # of the main customer; the two together are the identity that samples hash
    "created_at",  # float64 instant
    "email",
    "country",
    "region",
    "city",
    "postcode",
    "latitude",  # float64 degrees, north positive
    "longitude",  # float64 degrees, east positive
    "language",
    "account_state",
    "email_consent",
    "sms_consent",
    "tags",  # list
    "due_at",  # float64 instant: when the pass before will be looked at again, NaN for never
)
ORDER_COLUMNS = (
    "order_id",  # int64, ours
    "profile_id",  # int64
    "placed_at",  # int64 instant
    "cancelled_at",  # float64 instant
    "counted",  # int64 1/0: paid and no test order; cancellation is judged by cancelled_at
    "total",  # float64 gross; NaN where the currency could not be converted
    "discount",  # float64, all discounts of the order; NaN as total
    "channel",
    "country",
    "discount_codes",  # list
    "tags",  # list
)
LINE_COLUMNS = (
    "order_id",  # int64
    "profile_id",  # int64
    "placed_at",  # int64 instant, of the order
    "cancelled_at",  # float64, of the order
    "counted",  # int64, of the order
    "product_id",  # int64 key into products; -1 where unknown
    "quantity",  # int64
    "amount",  # float64 after discounts
    "discount",  # float64, what discounts took off this line; NaN where unknown
)
REFUND_COLUMNS = (
    "order_id",  # int64
    "profile_id",  # int64
    "created_at",  # int64 instant
    "amount",  # float64, positive
    "placed_at",  # int64 instant, of the order
    "cancelled_at",  # float64, of the order
    "counted",  # int64, of the order
)
PRODUCT_COLUMNS = (
    "product_id",  # int64, ours
    "remote_id",  # the platform's id
    "title",
    "product_type",
    "vendor",
    "tags",  # list
    "categories",  # list
    "published_at",  # float64 instant: when the shop began to sell it
    "price",  # float64, minor units: the regular price of its cheapest variant, as of the last sync
)
EVENT_COLUMNS = (
    "event_id",  # int64, ours
    "profile_id",  # int64
    "name",  # the source's own, e.g. "Viewed Product"; "checkout" for a checkout that was begun
    "at",  # int64 instant
    "amount",  # float64 minor units, NaN where the event has none
    "ended_at",  # float64 instant: a checkout became an order
    "properties",  # list of "key=value"
)
TRAIT_COLUMNS = (
    "profile_id",  # int64
    "name",  # as rules write it: "metafields.facts.birth_date", "meta.loyalty_level", "traits.age"
    "value",  # text; numbers and dates in ISO form
)
MEMBERSHIP_COLUMNS = (
    "profile_id",  # int64
    "segment",
    "entered_at",  # int64 instant
    "left_at",  # float64 instant, NaN while a member
    "lapsing_at",  # float64 instant: a member only by grace since then
)

RARE: Mapping[str, frozenset[str]] = {
    "profiles": frozenset(PROFILE_COLUMNS) - {"profile_id", "created_at"},
    "orders": frozenset({"discount", "channel", "country", "discount_codes", "tags"}),
    "lines": frozenset({"quantity", "discount"}),
}
"""Columns that are there only where a rule needs them, then named ``orders.country``: what is read
of every order takes most of the time of a pass."""
ALL_COLUMNS = frozenset(f"{frame}.{column}" for frame, rare in RARE.items() for column in rare)


def is_read(frame: str, column: str, needs: Collection[str]) -> bool:
    """Whether a column is among what is needed (see ``Ruleset.needs``) of a frame that is."""
    return column not in RARE.get(frame, ()) or f"{frame}.{column}" in needs


@dataclass(frozen=True, slots=True)
class Frames:
    """All facts of a partition of profiles; events of other profiles are not in it.

    Events of the future of ``now`` may be in it: the evaluation leaves them out. ``memberships``
    holds the stored history of the segments that ``Ruleset.remembered`` names, one row for each
    time that a profile was a member. The columns of ``RARE`` may be missing.

    ``members`` and ``values`` are what the pass before stored, read only to be compared with; of
    who is gone since, too. Their columns: ``profile_id, segment, lapsing_at`` (a member only by
    grace since then) and ``profile_id, name`` (of the subject, or of the cut of a limited segment),
    ``value, orders, last_order_at`` (minus infinity for who never ordered).
    """

    profiles: pd.DataFrame
    orders: pd.DataFrame
    lines: pd.DataFrame
    refunds: pd.DataFrame
    products: pd.DataFrame
    events: pd.DataFrame
    traits: pd.DataFrame
    memberships: pd.DataFrame
    members: pd.DataFrame | None = None
    values: pd.DataFrame | None = None


def pack(elements: Iterable[str]) -> str:
    """A list as one text; newlines inside of elements become blanks."""
    cleaned = [element.replace("\n", " ").strip() for element in elements]
    kept = [element for element in cleaned if element]
    return "\n" + "\n".join(kept) + "\n" if kept else ""


def unpack(text: str | None) -> list[str]:
    """The elements of a packed list."""
    return [element for element in (text or "").split("\n") if element]
