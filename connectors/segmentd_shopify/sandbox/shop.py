"""The shop behind the sandbox: its records, how they change, and what searching them finds.

Records are kept in our words as the shop would keep them (tags unique and sorted, blank texts
gone), so the oracle's projection is the state itself and does not pass through the API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund, clean, tag_key
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd_shopify.sandbox.bulk import Jobs
from segmentd_shopify.sandbox.index import Index

MOST_TAGS = 250
LONGEST_TAG = 255
ORDER_WINDOW = timedelta(days=60)
"""How far back orders can be read without the scope ``read_all_orders``."""

_UNPAID = {"authorized", "expired", "pending", "voided"}
Record = Customer | Order | Product


class Shop:
    """State of one shop. Numeric ids are the keys; change times are whole seconds."""

    def __init__(
        self, clock: SandboxClock, *, domain: str, currency: str, time_zone: str, index_lag: float
    ) -> None:
        self.clock = clock
        self.currency = currency
        self.about = {
            "id": "gid://shopify/Shop/1",
            "name": domain.removesuffix(".myshopify.com"),
            "myshopifyDomain": domain,
            "currencyCode": currency,
            "ianaTimezone": time_zone,
        }
        """What the shop says about itself, by field of the type ``Shop``."""
        self.zone = ZoneInfo(time_zone)
        self.index_lag = index_lag
        self.customers: dict[int, Customer] = {}
        self.orders: dict[int, Order] = {}
        self.products: dict[int, Product] = {}
        self.indexes = {"customers": Index(), "orders": Index(), "products": Index()}
        self.orders_of: defaultdict[int, set[int]] = defaultdict(set)
        self.jobs = Jobs(clock)
        self._spellings: dict[str, str] = {}
        self._last_refund = 0

    def now(self) -> datetime:
        """The clock, in whole seconds as the API shows instants."""
        return self.clock.now().replace(microsecond=0)

    def records(self, stream: str) -> dict[int, Any]:
        """Numeric id → record of one resource."""
        found: dict[str, dict[int, Any]] = {
            "customers": self.customers,
            "orders": self.orders,
            "products": self.products,
        }
        return found[stream]

    def shows(self, order: Order, scopes: frozenset[str]) -> bool:
        """Whether an app with ``scopes`` can see the order at all."""
        return "read_all_orders" in scopes or order.placed_at >= self.now() - ORDER_WINDOW

    def put_customer(self, customer: Customer) -> str:
        """Create or change a customer; consent needs an address to belong to."""
        email, phone = clean(customer.email), clean(customer.phone)
        kept = replace(
            customer,
            updated_at=_second(customer.updated_at or self.now()),
            created_at=_second(customer.created_at or customer.updated_at or self.now()),
            email=email,
            phone=phone,
            first_name=clean(customer.first_name),
            last_name=clean(customer.last_name),
            city=clean(customer.city),
            postcode=clean(customer.postcode),
            language=customer.language or "en",
            account_state=customer.account_state or "DISABLED",
            email_consent=(customer.email_consent or "NOT_SUBSCRIBED") if email else None,
            sms_consent=(customer.sms_consent or "NOT_SUBSCRIBED") if phone else None,
            tags=self._spelled(customer.tags, ()),
            traits=dict(customer.traits),
        )
        return self._keep("customers", kept)

    def set_metafield(self, customer_id: str, name: str, value: str) -> None:
        """Change a metafield alone; as at Shopify this is no change of its customer."""
        self.customers[int(customer_id)].traits[name] = value

    def put_order(self, order: Order) -> str:
        """Create or change an order."""
        kept = replace(
            order,
            placed_at=_second(order.placed_at),
            updated_at=_second(order.updated_at),
            email=clean(order.email),
            lines=[_line(line) for line in order.lines],
            refunds=list(order.refunds),
        )
        kept.status = _financial_status(kept)
        before = self.orders.get(int(kept.id))
        if before is not None and before.customer_id is not None:
            self.orders_of[int(before.customer_id)].discard(int(kept.id))
        if kept.customer_id is not None:
            self.orders_of[int(kept.customer_id)].add(int(kept.id))
        for refund in kept.refunds:
            self._last_refund = max(self._last_refund, int(refund.id))
        return self._keep("orders", kept)

    def put_product(self, product: Product) -> str:
        """Create or change a product; Shopify products have a type, and no categories of ours."""
        kept = replace(
            product,
            title=clean(product.title),
            product_type=clean(product.product_type),
            vendor=clean(product.vendor),
            tags=sorted(product.tags, key=str.casefold),
            categories=[],
            updated_at=_second(product.updated_at or self.now()),
            published_at=product.published_at and _second(product.published_at),
            price=product.price or 0,
        )
        return self._keep("products", kept)

    def refund(self, order_id: str, amount: int, at: datetime) -> None:
        """Give money back."""
        order = self.orders[int(order_id)]
        self._last_refund += 1
        refund = Refund(str(self._last_refund), _second(at), amount)
        self.put_order(
            replace(order, refunds=[*order.refunds, refund], updated_at=self._moved(order, at))
        )

    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order; what was received stays received."""
        order = self.orders[int(order_id)]
        self.put_order(replace(order, cancelled_at=_second(at), updated_at=self._moved(order, at)))

    def delete_customer(self, customer_id: str) -> None:
        """Remove a customer, and their orders before: Shopify refuses it while there are any."""
        number = int(customer_id)
        for order in self.orders_of.pop(number, set()):
            del self.orders[order]
            self.indexes["orders"].remove(order)
        del self.customers[number]
        self.indexes["customers"].remove(number)

    def add_tags(self, number: int, tags: Iterable[str]) -> str | None:
        """Add tags to a customer; the user error's message if the shop refuses."""
        customer = self.customers[number]
        added = _split(tags)
        if any(len(tag) > LONGEST_TAG for tag in added):
            return f"Tags is too long (maximum is {LONGEST_TAG} characters)"
        united = self._spelled(added, customer.tags)
        if len(united) > MOST_TAGS:
            return f"Tags cannot be more than {MOST_TAGS}"
        self._store_tags(customer, united)
        return None

    def remove_tags(self, number: int, tags: Iterable[str]) -> None:
        """Remove tags from a customer, without regard to case."""
        customer = self.customers[number]
        gone = {tag_key(tag) for tag in _split(tags)}
        self._store_tags(customer, [tag for tag in customer.tags if tag_key(tag) not in gone])

    def set_tags(self, number: int, tags: Sequence[str]) -> None:
        """A person replaces the whole list."""
        self._store_tags(self.customers[number], self._spelled(tags, ()))

    def _store_tags(self, customer: Customer, tags: list[str]) -> None:
        if tags != customer.tags:
            self._keep("customers", replace(customer, tags=tags, updated_at=self.now()))

    def _spelled(self, tags: Iterable[str], present: Sequence[str]) -> list[str]:
        """``present`` and ``tags`` united: a spelling that the customer has stays, else the first
        one that the shop ever saw; sorted without regard to case."""
        united = {tag_key(tag): tag for tag in present}
        for tag in _split(tags):
            key = tag_key(tag)
            united.setdefault(key, self._spellings.setdefault(key, tag))
        return sorted(united.values(), key=tag_key)

    def _moved(self, order: Order, at: datetime) -> datetime:
        return max(_second(at), order.updated_at, self.now())

    def _keep(self, stream: str, record: Record) -> str:
        number = int(record.id)
        self.records(stream)[number] = record
        assert record.updated_at is not None  # noqa: S101 - every put sets it
        changed = int(record.updated_at.timestamp())
        self.indexes[stream].put(number, changed, changed + self.index_lag)
        return record.id


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _line(line: OrderLine) -> OrderLine:
    title, vendor = clean(line.title), clean(line.vendor)
    if (title, vendor) == (line.title, line.vendor):
        return line
    return replace(line, title=title, vendor=vendor)


def _split(tags: Iterable[str]) -> list[str]:
    """A comma separates tags, outer blanks and empty ones vanish."""
    return [part.strip() for tag in tags for part in tag.split(",") if part.strip()]


def _financial_status(order: Order) -> str | None:
    """The payment status that Shopify would show; none on a cancelled order without a payment."""
    if not order.paid:
        if order.cancelled_at is not None:
            return None
        return order.status if order.status in _UNPAID else "pending"
    refunded = sum(refund.amount for refund in order.refunds)
    if refunded <= 0:
        return "partially_paid" if order.status == "partially_paid" else "paid"
    return "refunded" if refunded >= order.total else "partially_refunded"
