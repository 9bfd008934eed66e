"""The tables, in the words of the domain.

Ids of rows are ours (``profile_id``, ``order_id`` …); ``remote_id`` and ``customer_id`` are the
platform's, as text. What the evaluation reads stands together: lines and refunds carry their
order's profile, time, cancellation and whether it counts, and are stored in the profile's order,
so that a range of profiles is one sequential read. Lists are packed (``segmenter.frames.pack``).
Raw answers of platforms, names, phones and street addresses are not kept: no rule needs them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from segmentd.store.types import Instant, RowId

NOBODY = -1
"""In ``order_lines.product_id``: a line without a product of the shop."""

_CLUSTERED = {"sqlite_with_rowid": False}
"""The primary key is the table: rows stand in its order, and no second tree is written."""
_DUE = text("due_at IS NOT NULL")
_GONE = text("gone_at IS NOT NULL")
_REMOTE = text("remote_id IS NOT NULL")


class CursorRow(SQLModel, table=True):
    """Where reading one stream of one source stands."""

    __tablename__ = "cursors"

    source: str = Field(primary_key=True)
    stream: str = Field(primary_key=True)
    watermark: datetime | None = Field(default=None, sa_type=Instant)
    window_since: datetime | None = Field(default=None, sa_type=Instant)
    window_until: datetime | None = Field(default=None, sa_type=Instant)
    """Set exactly while a window is open."""
    position: str | None = None


class ShopRow(SQLModel, table=True):
    """What the platform of a source said about itself at the last contact."""

    __tablename__ = "shops"

    source: str = Field(primary_key=True)
    name: str
    currency: str
    time_zone: str
    seen_at: datetime = Field(sa_type=Instant)


class RunRow(SQLModel, table=True):
    """One run of a command or of the daemon."""

    __tablename__ = "runs"

    run_id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    kind: str
    started_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    outcome: str | None = None
    summary: str | None = None
    """JSON."""


class LeaseRow(SQLModel, table=True):
    """Who may write for one source, one destination, or the segments."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    holder: str | None = None
    """None: free."""
    epoch: int = Field(sa_type=BigInteger)
    acquired_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class CounterRow(SQLModel, table=True):
    """The last number given out: ids are never used twice, marks never go back."""

    __tablename__ = "counters"

    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


class ProfileRow(SQLModel, table=True):
    """One identity, with what rules ask of its main customer."""

    __tablename__ = "profiles"
    __table_args__ = (
        Index("profiles_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("profiles_email", "email_key"),
        Index("profiles_touched", "touched"),
        Index("profiles_gone", "profile_id", sqlite_where=_GONE, postgresql_where=_GONE),
    )

    profile_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    source: str
    customer_id: str
    """Of the main customer: the account, else the guest."""
    email: str | None = None
    email_key: str | None = None
    created_at: datetime | None = Field(default=None, sa_type=Instant)
    country: str | None = None
    region: str | None = None
    city: str | None = None
    postcode: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    language: str | None = None
    account_state: str | None = None
    email_consent: str | None = None
    sms_consent: str | None = None
    tags: str = ""
    gone_at: datetime | None = Field(default=None, sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    """When time alone may next change a membership."""
    touched: int = Field(sa_type=BigInteger)
    """The counter of that name when something last changed that a push may depend on."""


class CustomerRow(SQLModel, table=True):
    """A customer record of a source; guests have one too, called ``guest:<e-mail>``."""

    __tablename__ = "customers"
    __table_args__ = (
        UniqueConstraint("source", "customer_id"),
        Index("customers_email", "source", "email_key"),
        Index("customers_profile", "profile_id"),
    )

    row_id: int = Field(primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False})
    source: str
    customer_id: str
    profile_id: int = Field(foreign_key="profiles.profile_id", sa_type=BigInteger)
    guest: int = Field(sa_type=SmallInteger)
    email: str | None = None
    email_key: str | None = None
    tag_keys: str = ""
    """The tags as they are compared (``identity.tag_key``), packed."""
    updated_at: datetime | None = Field(default=None, sa_type=Instant)
    gone_at: datetime | None = Field(default=None, sa_type=Instant)
    hash: bytes
    """Of the record's content; empty for one that is not read yet."""


class ConsentRow(SQLModel, table=True):
    """What a person agreed to, per channel; read only, never written to a platform."""

    __tablename__ = "consents"

    profile_id: int = Field(primary_key=True, foreign_key="profiles.profile_id", sa_type=BigInteger)
    channel: str = Field(primary_key=True)
    state: str
    since: datetime | None = Field(default=None, sa_type=Instant)


class TraitRow(SQLModel, table=True):
    """A value known of a profile from elsewhere than its orders."""

    __tablename__ = "traits"

    profile_id: int = Field(primary_key=True, foreign_key="profiles.profile_id", sa_type=BigInteger)
    name: str = Field(primary_key=True)
    value: str
    source: str
    at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)


class OrderRow(SQLModel, table=True):
    """An order; one that nobody can be found for, or that is gone, has no profile."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("source", "remote_id"),
        # led by the profile and holding all that rules ask of an order: the rows stay unread
        Index(
            "orders_profile", "profile_id", "order_id", "placed_at", "cancelled_at", "counted",
            "fx_missing", "total", "discount", "channel", "country", "discount_codes", "tags",
        ),
    )  # fmt: skip

    order_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    source: str
    remote_id: str
    profile_id: int | None = Field(
        default=None, foreign_key="profiles.profile_id", sa_type=BigInteger
    )
    customer_id: str | None = None
    email_key: str | None = None
    placed_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    counted: int = Field(sa_type=SmallInteger)
    """Paid and no test order."""
    fx_missing: int = Field(sa_type=SmallInteger)
    """In another currency than the store's: the amounts are not added up."""
    total: int = Field(sa_type=BigInteger)
    currency: str
    discount: int = Field(sa_type=BigInteger)
    paid: int = Field(sa_type=SmallInteger)
    test: int = Field(sa_type=SmallInteger)
    status: str | None = None
    channel: str = ""
    country: str = ""
    discount_codes: str = ""
    region: str | None = None
    city: str | None = None
    tags: str = ""
    gone_at: datetime | None = Field(default=None, sa_type=Instant)
    hash: bytes


class OrderLineRow(SQLModel, table=True):
    """One line of an order that belongs to a profile."""

    __tablename__ = "order_lines"
    __table_args__ = (
        PrimaryKeyConstraint(
            "profile_id", "order_id", "line",
            postgresql_include=["placed_at", "cancelled_at", "counted", "fx_missing",
                                "product_id", "quantity", "amount", "discount"],
        ),
        Index("order_lines_product", "product_id", "profile_id"),
        _CLUSTERED,
    )  # fmt: skip

    profile_id: int = Field(sa_type=BigInteger, primary_key=True)
    order_id: int = Field(sa_type=BigInteger, primary_key=True)
    line: int = Field(primary_key=True)
    placed_at: datetime = Field(sa_type=Instant)
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    counted: int = Field(sa_type=SmallInteger)
    fx_missing: int = Field(sa_type=SmallInteger)
    product_id: int = Field(sa_type=BigInteger)
    quantity: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    discount: int | None = Field(default=None, sa_type=BigInteger)
    """None: stored before it was read."""


class RefundRow(SQLModel, table=True):
    """Money given back for an order that belongs to a profile."""

    __tablename__ = "refunds"
    __table_args__ = (
        PrimaryKeyConstraint(
            "profile_id", "order_id", "refund",
            postgresql_include=["created_at", "amount", "placed_at", "cancelled_at", "counted",
                                "fx_missing"],
        ),
        _CLUSTERED,
    )  # fmt: skip

    profile_id: int = Field(sa_type=BigInteger, primary_key=True)
    order_id: int = Field(sa_type=BigInteger, primary_key=True)
    refund: int = Field(primary_key=True)
    created_at: datetime = Field(sa_type=Instant)
    amount: int = Field(sa_type=BigInteger)
    placed_at: datetime = Field(sa_type=Instant)
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    counted: int = Field(sa_type=SmallInteger)
    fx_missing: int = Field(sa_type=SmallInteger)


class DiscountRow(SQLModel, table=True):
    """What made an order cheaper."""

    __tablename__ = "discounts"

    order_id: int = Field(primary_key=True, sa_type=BigInteger)
    code: str = Field(primary_key=True)
    kind: str
    amount: int = Field(sa_type=BigInteger)


class ProductRow(SQLModel, table=True):
    """A product as the shop describes it now, or as little as an order line said of it."""

    __tablename__ = "products"
    __table_args__ = (UniqueConstraint("source", "remote_id"),)

    product_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    source: str
    remote_id: str
    title: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    tags: str = ""
    categories: str = ""
    published_at: datetime | None = Field(default=None, sa_type=Instant)
    price: int | None = Field(default=None, sa_type=BigInteger)
    updated_at: datetime | None = Field(default=None, sa_type=Instant)
    gone_at: datetime | None = Field(default=None, sa_type=Instant)
    hash: bytes


class ProductHistoryRow(SQLModel, table=True):
    """What a product was like from an instant on: shops tell only how it is now."""

    __tablename__ = "product_history"

    product_id: int = Field(primary_key=True, sa_type=BigInteger)
    since: datetime = Field(primary_key=True, sa_type=Instant)
    title: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    tags: str = ""
    categories: str = ""
    price: int | None = Field(default=None, sa_type=BigInteger)


class EventRow(SQLModel, table=True):
    """Something a profile did elsewhere than in an order; ``checkout``: began to buy."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("source", "remote_id"),
        Index("events_profile", "profile_id", "name", "at"),
    )

    event_id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    source: str
    remote_id: str
    profile_id: int | None = Field(
        default=None, foreign_key="profiles.profile_id", sa_type=BigInteger
    )
    name: str
    at: datetime = Field(sa_type=Instant)
    amount: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    """When a checkout became an order."""
    properties: str = ""
    """Packed, each ``key=value``."""


class SegmentRow(SQLModel, table=True):
    """A rule's text, every version of it that memberships were made with."""

    __tablename__ = "segments"

    segment: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    title: str
    rule: str
    since: datetime = Field(sa_type=Instant)
    current: int = Field(sa_type=SmallInteger)
    """The stored memberships are of this version."""


class MembershipRow(SQLModel, table=True):
    """A profile is in a segment."""

    __tablename__ = "memberships"
    __table_args__ = (Index("memberships_segment", "segment", "profile_id"), _CLUSTERED)

    profile_id: int = Field(primary_key=True, foreign_key="profiles.profile_id", sa_type=BigInteger)
    segment: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)
    cause: str
    lapsing_at: datetime | None = Field(default=None, sa_type=Instant)
    """The profile fulfils the rule no longer since then, and is a member only by grace."""


class MembershipChangeRow(SQLModel, table=True):
    """A profile entered or left a segment."""

    __tablename__ = "membership_changes"
    __table_args__ = (
        # holding all that the history of a profile is made from: the rows stay unread
        Index(
            "membership_changes_profile", "profile_id", "segment", "change_id", "entered", "at"
        ),
        Index("membership_changes_at", "at"),
    )  # fmt: skip

    change_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    profile_id: int = Field(sa_type=BigInteger)
    segment: str
    entered: int = Field(sa_type=SmallInteger)
    at: datetime = Field(sa_type=Instant)
    cause: str
    version: str | None = None
    """Of the rule; None where the segment is configured no more or the profile is gone."""


class ThresholdRow(SQLModel, table=True):
    """A store-relative value from an instant on."""

    __tablename__ = "thresholds"
    __table_args__ = (Index("thresholds_expression", "expression", "threshold_id"),)

    threshold_id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    expression: str
    threshold: str
    at: datetime = Field(sa_type=Instant)
    current: int = Field(sa_type=SmallInteger)


class RelativeSubjectRow(SQLModel, table=True):
    """What profiles are ranked by: a subject of rules, or what a limited segment ranks by."""

    __tablename__ = "relative_subjects"
    __table_args__ = (UniqueConstraint("name"),)

    subject_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    name: str
    """The subject's text, or the name of the cut."""
    profiles: int = Field(sa_type=BigInteger)
    """How many have a value."""
    total: str
    """The exact sum of the values, as a fraction."""
    squares: str
    """The exact sum of their squares."""


class RelativeValueRow(SQLModel, table=True):
    """One profile's value, and what ranks it among those with the same."""

    __tablename__ = "relative_values"
    __table_args__ = (
        Index(
            "relative_values_ranked", "subject_id", "value", "orders", "last_order_at", "earlier"
        ),
        _CLUSTERED,
    )

    profile_id: int = Field(primary_key=True, sa_type=BigInteger)
    subject_id: int = Field(primary_key=True, sa_type=BigInteger)
    value: float
    orders: float
    last_order_at: float
    """Epoch seconds; minus infinity for who never ordered."""
    earlier: float
    """Minus the profile's id: an index holds all that ranks, and in one direction."""


class RelativeStepRow(SQLModel, table=True):
    """How many stand from one place in a ranking up to the next step, so that nobody counts a
    million for who is at a rank."""

    __tablename__ = "relative_steps"
    __table_args__ = (_CLUSTERED,)

    subject_id: int = Field(primary_key=True, sa_type=BigInteger)
    value: float = Field(primary_key=True)
    orders: float = Field(primary_key=True)
    last_order_at: float = Field(primary_key=True)
    earlier: float = Field(primary_key=True)
    profiles: int = Field(sa_type=BigInteger)


class ScoreRow(SQLModel, table=True):
    """A score computed for a profile."""

    __tablename__ = "scores"

    profile_id: int = Field(primary_key=True, foreign_key="profiles.profile_id", sa_type=BigInteger)
    score: str = Field(primary_key=True)
    value: float
    at: datetime = Field(sa_type=Instant)


class DirtyRow(SQLModel, table=True):
    """A profile that must be evaluated because a fact of it changed."""

    __tablename__ = "dirty"

    profile_id: int = Field(
        primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False}
    )
    token: int = Field(sa_type=BigInteger)
    """Counted up with every batch."""
    cause: str = Field(default="data", sa_column_kwargs={"server_default": "data"})
    """What changed (``domain.memberships.Cause``)."""


class LedgerRow(SQLModel, table=True):
    """What we know to be at a destination: one name on one target."""

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ledger_profile", "profile_id"),
        Index("ledger_remote", "remote_id", sqlite_where=_REMOTE, postgresql_where=_REMOTE),
        _CLUSTERED,
    )

    destination: str = Field(primary_key=True)
    name_key: str = Field(primary_key=True)
    """The name as tags are compared, so that a change of case alone sends nothing."""
    target: str = Field(primary_key=True)
    """Customer id or e-mail key."""
    name: str
    profile_id: int = Field(sa_type=BigInteger)
    customer_id: str | None = None
    email: str | None = None
    segment: str
    state: str
    remote_id: str | None = None
    remote_updated_at: datetime | None = Field(default=None, sa_type=Instant)
    """The customer's change time at the shop after our last write."""
    first_at: datetime = Field(sa_type=Instant)
    last_at: datetime = Field(sa_type=Instant)
    detail: str | None = None


class DestinationNameRow(SQLModel, table=True):
    """What a name (tag or list) is called by the destination itself."""

    __tablename__ = "destination_names"

    destination: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    remote_id: str


class EventOutboxRow(SQLModel, table=True):
    """An entry or exit that a destination is to be told of exactly once."""

    __tablename__ = "event_outbox"
    __table_args__ = (Index("event_outbox_pending", "destination", "delivered_at"),)

    event_id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    destination: str
    profile_id: int = Field(sa_type=BigInteger)
    segment: str
    entered: int = Field(sa_type=SmallInteger)
    at: datetime = Field(sa_type=Instant)
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)


class RejectionRow(SQLModel, table=True):
    """A record or change that was refused, until it is accepted."""

    __tablename__ = "rejections"

    origin: str = Field(primary_key=True)
    """``source:NAME`` or ``destination:NAME``."""
    kind: str = Field(primary_key=True)
    """Stream, or the name of a tag or list."""
    id: str = Field(primary_key=True)
    reason: str
    first_at: datetime = Field(sa_type=Instant)
    last_at: datetime = Field(sa_type=Instant)
    times: int
