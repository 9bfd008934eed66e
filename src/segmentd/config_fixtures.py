"""Files of rule tests: made-up customers, and who of them is to be in which segment when.

The format is described in docs/rule-tests.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from segmentd.config_file import ConfigFile
from segmentd.config_tables import WEEKDAYS, ShopTable, Table
from segmentd.domain.records import Customer, Order, OrderLine, Product, Refund
from segmentd.domain.suggest import did_you_mean
from segmentd.sdk.values import minor_units
from segmentd.segmenter.fixtures import Happening, Person, Stay
from segmentd.segmenter.ruleset import Shop

Moment = datetime | date
"""A date is its midnight; without an offset the shop's clock counts."""
Texts = tuple[str, ...]
Tables = tuple[dict[str, Any], ...]
_OWN = {"created", "events", "memberships", "orders", "tags", "traits"}
"""Keys of a customer that mean other things than in the record."""
_Model = TypeVar("_Model", bound=BaseModel)
_TOP = frozenset({"shop", "products", "customers", "tests"})


class ProductTable(Table):
    """``[products.ID]``"""

    title: str | None = None
    type: str | None = None
    vendor: str | None = None
    tags: Texts = ()
    categories: Texts = ()
    published: Moment | None = None
    price: Decimal | None = None


class LineTable(Table):
    """One of ``lines``."""

    product: str | None = None
    quantity: int = 1
    amount: Decimal
    discount: Decimal = Decimal(0)


class RefundTable(Table):
    """One of ``refunds``."""

    date: Moment
    amount: Decimal


class OrderTable(Table):
    """One of ``orders``."""

    date: Moment
    id: str | None = None
    amount: Decimal | None = None
    """By default that of all lines."""
    paid: bool = True
    test: bool = False
    cancelled: Moment | None = None
    country: str | None = None
    channel: str | None = None
    codes: Texts = ()
    tags: Texts = ()
    discount: Decimal | None = None
    """By default that of all lines."""
    lines: Tables = ()
    refunds: Tables = ()


class EventTable(Table):
    """One of ``events``."""

    name: str = Field(min_length=1)
    date: Moment
    amount: Decimal | None = None
    ended: Moment | None = None
    properties: dict[str, str | int | float | bool] = Field(default_factory=dict)


class MembershipTable(Table):
    """One of ``memberships``: before the test begins."""

    segment: str
    entered: Moment
    left: Moment | None = None


class CustomerTable(Table):
    """``[customers.NAME]``"""

    email: str | None = None
    created: Moment | None = None
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
    tags: Texts = ()
    traits: dict[str, str | int | float | bool | datetime | date] = Field(default_factory=dict)
    orders: Tables = ()
    events: Tables = ()
    memberships: Tables = ()


class TestTable(Table):
    """One of ``[[tests]]``."""

    now: Moment
    expect: dict[str, list[str]]
    values: dict[str, int | float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """Who is to be in which segment at an instant."""

    now: datetime
    expect: Mapping[str, Sequence[str]]
    """Segment → all of its members, by their names in the file."""
    values: Mapping[str, int | float]
    """Store-relative values and fitted variables that are given rather than computed."""


@dataclass(frozen=True, slots=True)
class RuleTests:
    """One file of tests."""

    path: Path
    shop: Shop
    people: Sequence[Person]
    """``customer.id`` is the name in the file."""
    products: Sequence[Product]
    tests: Sequence[RuleTest]


def read_tests(path: Path, shop: Shop) -> RuleTests:
    """Read a file; the shop is that of the configuration, as far as its ``[shop]`` says no other.

    ConfigError names table and key.
    """
    file = ConfigFile(path)
    file.check_keys(_TOP)
    own = file.parse(ShopTable, "shop", file.table("shop"))
    shop = Shop(
        own.time_zone or shop.time_zone,
        own.currency or shop.currency,
        WEEKDAYS.index(own.week_start) if "week_start" in own.model_fields_set else shop.week_start,
    )
    reader = _Reader(file, shop)
    return RuleTests(
        path,
        shop,
        [reader.person(name, raw) for name, raw in file.tables("customers").items()],
        reader.products,
        list(reader.tests()),
    )


class _Reader:
    def __init__(self, file: ConfigFile, shop: Shop) -> None:
        self._file = file
        self._zone = ZoneInfo(shop.time_zone)
        self._currency = shop.currency
        self.products = [self._product(key, raw) for key, raw in file.tables("products").items()]
        self._product_ids = {product.id for product in self.products}

    def tests(self) -> Iterator[RuleTest]:
        """The tests, for customers who are in the file."""
        raw = self._file.value("tests", [])
        if not isinstance(raw, list) or not raw:
            raise self._file.error("", "holds no [[tests]]")
        names = self._file.tables("customers").keys()
        for number, each in enumerate(raw, 1):
            where = f"tests, number {number}"
            table = self._file.parse(TestTable, where, self._file.as_table(each, where))
            for key, members in table.expect.items():
                for name in members:
                    if name not in names:
                        near = did_you_mean(name, names)
                        raise self._file.error(
                            where, f'key "expect", {key}: no customer is called "{name}"{near}'
                        )
            yield RuleTest(self._instant(table.now), table.expect, table.values)

    def person(self, name: str, raw: dict[str, Any]) -> Person:
        """A customer with orders, events and memberships."""
        where = f"customers.{name}"
        table = self._file.parse(CustomerTable, where, raw)
        plain = table.model_dump(exclude=_OWN)
        traits = {key: _text(value) for key, value in table.traits.items()}
        created, tags = self._maybe(table.created), list(table.tags)
        customer = Customer(name, created_at=created, tags=tags, traits=traits, **plain)
        parts = self._parts
        return Person(
            customer,
            [self._order(name, *each) for each in parts(OrderTable, where, "orders", table.orders)],
            [self._event(event) for _, event in parts(EventTable, where, "events", table.events)],
            [
                Stay(stay.segment, self._instant(stay.entered), self._maybe(stay.left))
                for _, stay in parts(MembershipTable, where, "memberships", table.memberships)
            ],
        )

    def _order(self, name: str, where: str, table: OrderTable) -> Order:
        parts = self._parts
        lines = [
            self._line(here, line) for here, line in parts(LineTable, where, "lines", table.lines)
        ]
        refunds = [refund for _, refund in parts(RefundTable, where, "refunds", table.refunds)]
        if table.amount is None and not lines:
            raise self._file.error(where, 'key "amount" is missing, and there are no lines')
        placed = self._instant(table.date)
        number = where.rpartition("[")[2].rstrip("]")
        return Order(
            id=table.id or f"{name}-{number}",
            placed_at=placed,
            updated_at=placed,
            currency=self._currency,
            total=self._sum(table.amount, (line.amount for line in lines)),
            paid=table.paid,
            customer_id=name,
            cancelled_at=self._maybe(table.cancelled),
            test=table.test,
            channel=table.channel,
            discount=self._sum(table.discount, (line.discount for line in lines)),
            discount_codes=list(table.codes),
            tags=list(table.tags),
            country=table.country,
            lines=lines,
            refunds=[Refund("", self._instant(r.date), self._money(r.amount)) for r in refunds],
        )

    def _line(self, where: str, table: LineTable) -> OrderLine:
        if table.product is not None and table.product not in self._product_ids:
            near = did_you_mean(table.product, self._product_ids)
            raise self._file.error(
                where, f'key "product": no product is called "{table.product}"{near}'
            )
        return OrderLine(
            "", table.product, table.quantity, self._money(table.amount),
            self._money(table.discount),
        )  # fmt: skip

    def _product(self, key: str, raw: dict[str, Any]) -> Product:
        table = self._file.parse(ProductTable, f"products.{key}", raw)
        return Product(
            key, table.title, table.type, table.vendor, list(table.tags), list(table.categories),
            published_at=self._maybe(table.published),
            price=None if table.price is None else self._money(table.price),
        )  # fmt: skip

    def _event(self, table: EventTable) -> Happening:
        return Happening(
            table.name,
            self._instant(table.date),
            None if table.amount is None else self._money(table.amount),
            self._maybe(table.ended),
            {key: _text(value) for key, value in table.properties.items()},
        )

    def _parts(
        self, model: type[_Model], where: str, key: str, raw: Sequence[dict[str, Any]]
    ) -> Iterator[tuple[str, _Model]]:
        """The elements of a list of tables, and where each stands."""
        for number, each in enumerate(raw, 1):
            here = f"{where}.{key}[{number}]"
            yield here, self._file.parse(model, here, each)

    def _money(self, amount: Decimal) -> int:
        return minor_units(format(amount, "f"), self._currency)

    def _sum(self, given: Decimal | None, parts: Iterable[int]) -> int:
        return sum(parts) if given is None else self._money(given)

    def _maybe(self, moment: Moment | None) -> datetime | None:
        return None if moment is None else self._instant(moment)

    def _instant(self, moment: Moment) -> datetime:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time())
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        return zoned.replace(microsecond=0).astimezone(UTC)


def _text(value: object) -> str:
    """A value as connectors bring it: dates in ISO form, truths as words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
