"""A WooCommerce store that answers like a real one (10.5, orders in their own tables)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from segmentd.sdk import Customer, Order, Product
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock, ShopSandbox
from segmentd_woocommerce.sandbox import entries, projection
from segmentd_woocommerce.sandbox.access import Door, Key
from segmentd_woocommerce.sandbox.answers import Refusal, answer, chosen, page
from segmentd_woocommerce.sandbox.api import Call, dispatch
from segmentd_woocommerce.sandbox.arguments import sent_in
from segmentd_woocommerce.sandbox.host import CrashError, Host
from segmentd_woocommerce.sandbox.store import CustomerRow, Meta, OrderRow, RefundRow, Store
from segmentd_woocommerce.sandbox.writes import body_of

_KEY = "ck_5a4db0c0ffee5a4db0c0ffee5a4db0c0ffee0001"
_SECRET = "cs_5a4db0c0ffee5a4db0c0ffee5a4db0c0ffee0002"  # noqa: S105 - of the sandbox, not real
_API = "/wp-json/wc/v3/"


class WooCommerceSandbox(ShopSandbox):
    """One store. Keys, and how the store sees them, are in ``door``."""

    meta_key = "segmentd_tags"

    def __init__(
        self,
        clock: SandboxClock | None = None,
        *,
        time_zone: str = "America/New_York",
        currency: str = "USD",
        permalinks: bool = True,
    ) -> None:
        super().__init__(clock)
        self.store = Store(ZoneInfo(time_zone), currency)
        self.door = Door([Key(_KEY, _SECRET)])
        self.permalinks = permalinks

    def handle(self, request: Request) -> Response:
        """As web server, WordPress and WooCommerce together."""
        path = request.path.removeprefix("/index.php")
        if path.startswith("/wp-json") and not self.permalinks:
            return page(301, "Moved", {"location": f"{self._home(request)}/"})
        self.store.host.begin()
        try:
            response = self._answer(request, path)
        except Refusal as refusal:
            response = answer(refusal.body, refusal.status)
        except CrashError:
            response = page(500, "WordPress &rsaquo; Error")
        self._take_time()
        if self.store.host.is_too_slow:
            return page(504, "504 Gateway Time-out")
        link = f'<{self._home(request)}/wp-json/>; rel="https://api.w.org/"'
        response.headers.setdefault("link", link)
        return response

    def is_write(self, request: Request) -> bool:
        """A batch of nothing changes nothing: it asks only whether one may."""
        if request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
            return False
        if not request.path.endswith("/batch"):
            return True
        try:
            return any(body_of(request.body).values())
        except Refusal:
            return True

    def credentials(self) -> Mapping[str, str]:
        """Of an administrator, to read and write."""
        return {"key": _KEY, "secret": _SECRET}

    def settings(self, url: str) -> Mapping[str, object]:
        """See ``Sandbox.settings``; nobody else visits a sandbox, so it needs no rests."""
        return {
            "url": url,
            "key_env": "SANDBOX_WOOCOMMERCE_KEY",
            "secret_env": "SANDBOX_WOOCOMMERCE_SECRET",
            "load": 1,
        }

    def _take_time(self) -> None:
        host = self.store.host
        if host.spent:
            self.clock.advance(min(host.spent, host.patience or host.spent))

    def _home(self, request: Request) -> str:
        return f"{'https' if self.door.https else 'http'}://{request.headers.get('host', '')}"

    def _answer(self, request: Request, path: str) -> Response:
        if path.rstrip("/") == "/wp-json":
            return self._root(request)
        if path.startswith(_API):
            key = self.door.sign_in(request, self.clock.now())
            base = f"{self._home(request)}/wp-json/wc/v3"
            call = Call(request, key, base, self.clock.now(), sent_in(request.query_string))
            return dispatch(self.store, call, path.removeprefix(_API))
        if path == "/" and request.query.get("rest_route", "").startswith("/wc/"):
            # the key is not even looked at in this form
            code = "woocommerce_rest_cannot_view"
            raise Refusal(401, code, "Sorry, you cannot list resources.")
        if path.startswith("/wp-json/"):
            text = "No route was found matching the URL and request method."
            raise Refusal(404, "rest_no_route", text)
        return page(404, "Page not found")

    def _root(self, request: Request) -> Response:
        if "authorization" in request.headers or "consumer_key" in request.query:
            # as on a site where somebody uses application passwords
            text = (
                "<strong>Error:</strong> Unknown username. Check again or try your email address."
            )
            raise Refusal(401, "invalid_username", text)
        home = self._home(request)
        offset = self.clock.now().astimezone(self.store.zone).utcoffset()
        hours = offset.total_seconds() / 3600 if offset else 0
        document = {
            "name": "Test Store",
            "url": home,
            "home": home,
            "gmt_offset": int(hours) if hours == int(hours) else hours,
            "timezone_string": self.store.zone.key,
            "namespaces": ["oembed/1.0", "wc/v3", "wc/v1", "wc/v2", "wp/v2"],
            "authentication": {
                "application-passwords": {
                    "endpoints": {"authorization": f"{home}/wp-admin/authorize-application.php"}
                }
            },
        }
        fields = request.query.get("_fields")
        return answer(chosen(document, fields, linked=False), headers={"allow": "GET"})

    def put_customer(self, customer: Customer) -> str:
        """Create or change an account; role and other meta of an old one stay."""
        old = self.store.customers.rows.get(int(customer.id))
        row = entries.customer_row(customer, old, self._now())
        self._keep_tags(row, customer.tags)
        self.store.customers.put(row)
        return customer.id

    def put_order(self, order: Order) -> str:
        """Create or change an order with its refunds."""
        row = entries.order_row(order, self._email_of(order))
        if (old := self.store.orders.rows.get(row.id)) is not None:
            for refund in old.refunds:
                self.store.refunds.remove(refund.id)
        for refund in row.refunds:
            if self.store.is_taken(refund.id):
                refund.id = self.store.next_post()
            self.store.refunds.put(refund)
        self.store.orders.put(row)
        if row.paid_at and (customer := self.store.customers.rows.get(row.customer_id)):
            customer.paying = True
        return order.id

    def put_product(self, product: Product) -> str:
        """Create or change a product."""
        row = entries.product_row(product, self._now())
        for name in [*row.categories, *row.tags, *([row.brand] if row.brand else [])]:
            self.store.term(name)
        self.store.products.put(row)
        return product.id

    def put_draft(self, order: Order) -> str:
        """Somebody opens the block checkout and gives an e-mail."""
        row = entries.order_row(order, self._email_of(order))
        row.status, row.channel, row.paid_at = "checkout-draft", "store-api", None
        self.store.orders.put(row)
        return order.id

    def refund(self, order_id: str, amount: int, at: datetime) -> None:
        """Give money back; all of it makes the order ``refunded``."""
        row = self.store.orders.rows[int(order_id)]
        refund = RefundRow(
            self.store.next_post(), row.id, at.replace(microsecond=0), self._now(), amount
        )
        row.refunds.append(refund)
        self.store.refunds.put(refund)
        if sum(refund.amount for refund in row.refunds) >= row.total:
            row.status = "refunded"
        self._touch(row)

    def delete_refund(self, order_id: str, refund_id: str) -> None:
        """Take a refund back: the order's change time does not move."""
        row = self.store.orders.rows[int(order_id)]
        row.refunds = [refund for refund in row.refunds if refund.id != int(refund_id)]
        self.store.refunds.remove(int(refund_id))

    def cancel(self, order_id: str, at: datetime) -> None:  # noqa: ARG002 - keeps no such time
        """Cancel an order."""
        row = self.store.orders.rows[int(order_id)]
        row.status = "cancelled"
        self._touch(row)

    def touch_order(self, order_id: str) -> None:
        """Some plugin saves an order without changing it."""
        self._touch(self.store.orders.rows[int(order_id)])

    def trash_order(self, order_id: str) -> None:
        """Move an order to the trash."""
        row = self.store.orders.rows[int(order_id)]
        row.before_trash, row.status = row.status, "trash"
        self._touch(row)

    def restore_order(self, order_id: str) -> None:
        """Take it out of the trash again."""
        row = self.store.orders.rows[int(order_id)]
        row.status = row.before_trash
        self._touch(row)

    def delete_order(self, order_id: str) -> None:
        """Delete an order for good: nothing is left to be asked for."""
        for refund in self.store.orders.rows[int(order_id)].refunds:
            self.store.refunds.remove(refund.id)
        self.store.orders.remove(int(order_id))

    def delete_customer(self, customer_id: str) -> None:
        """The account goes, its orders become orders of a guest, and count as changed."""
        self.store.customers.remove(int(customer_id))
        for row in list(self.store.orders.rows.values()):
            if row.customer_id == int(customer_id):
                row.customer_id = 0
                self._touch(row)

    def poison(self, stream: str) -> str:
        """Let a plugin break one record of ``stream``; returns its id."""
        rows = self.store.orders.rows if stream == "orders" else self.store.customers.rows
        id_ = next(iter(rows))
        self.store.poisoned.add((stream, id_))
        return str(id_)

    def projection(self) -> tuple[Sequence[Customer], Sequence[Order]]:
        """From the rows, not from the documents that the API shows."""
        customers = [
            projection.customer(row, self.meta_key) for row in self.store.customers.rows.values()
        ]
        orders = [
            projection.order(row)
            for row in self.store.orders.rows.values()
            if row.status not in projection.NO_ORDERS
        ]
        return (
            sorted(customers, key=lambda customer: customer.id),
            sorted(orders, key=lambda order: order.id),
        )

    def tags(self) -> dict[str, set[str]]:
        """Those in our key of the customer meta."""
        return {
            str(row.id): set(projection.tags(row, self.meta_key))
            for row in self.store.customers.rows.values()
        }

    def set_tags(self, customer_id: str, tags: Sequence[str]) -> None:
        """With a plugin that shows the customer meta in the profile."""
        row = self.store.customers.rows[int(customer_id)]
        self._keep_tags(row, tags)
        row.modified = self._now()
        self.store.customers.put(row)

    def _keep_tags(self, row: CustomerRow, tags: Sequence[str]) -> None:
        old = next((meta for meta in row.meta if meta.key == self.meta_key), None)
        row.meta = [meta for meta in row.meta if meta.key != self.meta_key]
        if tags:
            id_ = old.id if old else self.store.next_meta()
            row.meta.append(Meta(id_, self.meta_key, ",".join(tags)))

    def _email_of(self, order: Order) -> str:
        if order.email is not None or order.customer_id is None:
            return order.email or ""
        customer = self.store.customers.rows.get(int(order.customer_id))
        return customer.email if customer else ""

    def _now(self) -> datetime:
        return self.clock.now().replace(microsecond=0)

    def _touch(self, row: OrderRow) -> None:
        row.modified = self._now()
        self.store.orders.put(row)


__all__ = ["Door", "Host", "Key", "WooCommerceSandbox"]
