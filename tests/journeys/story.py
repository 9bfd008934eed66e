"""The story of the crash tests: a steady state, then one cycle's worth of changes, again and again.

``rewind`` puts store and platforms back to the moment after the changes and before the cycle;
``settle`` runs what follows a crash and holds everything against the invariants.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from journeys import invariants
from journeys.crash import KILLED, End, Kill, Nursery, nursery
from journeys.invariants import Facts
from journeys.stores import Database
from journeys.world import START, World, world
from segmentd.domain.records import Customer, Order, OrderLine, Product
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.faults import Handler
from segmentd.sdk.testing.sandbox import Request, Response, Sandbox, ShopSandbox

FIRST = {"shopify": 1, "woocommerce": 13}
"""Number of the first of 24 customers; twelve people are customers of both shops."""
CUSTOMERS = 24
PRODUCTS = range(7, 18)
FOREIGN = {
    "shopify": {"1": {"Wholesale"}, "2": {"vip@Expo"}, "9": {"Wholesale", "Handpicked"}},
    "woocommerce": {"13": {"b2b"}, "22": {"B2B", "Messe"}},
}
"""Platform → customer → tags that a person gave them."""
POISONED = {"shopify": "100", "woocommerce": "1300"}
"""Orders that nobody can read any more."""
MINUTE = 60.0


@dataclass
class Story:
    """A steady state, and the same changes to it again and again."""

    made: World
    database: Database
    nursery: Nursery
    remote: Mapping[str, Sandbox] = field(default_factory=dict)
    told: Mapping[str, list[str]] = field(default_factory=dict)
    """What the store says when nothing was disturbed, after the cycle and another one."""

    def rewind(self) -> None:
        """Back to the moment after the changes, before the cycle."""
        self.made.restore(self.remote)
        self.database.bring_back()

    def cycle(
        self,
        *steps: str,
        kill: Kill | None = None,
        bug: str | None = None,
        count: str | None = None,
    ) -> End:
        """One process, which syncs unless told otherwise; what it sent is answered at the end."""
        end = self.nursery.run(
            self.made.config, self.made.now(), *steps, kill=kill, bug=bug, count=count
        )
        self.made.hang_up()
        return end

    def count(self, kind: str, bug: str | None = None) -> End:
        """Run the cycle from its beginning to its end, counting points of one kind."""
        self.rewind()
        end = self.cycle(bug=bug, count=kind)
        assert end.code == 0
        return end

    def settle(self) -> None:
        """One clean cycle repairs everything; after it there is nothing more to do."""
        self._settle(cycles=2 if self.database.check(self.made) else 1)

    def survive(self, *kills: Kill, bug: str | None = None) -> bool:
        """Rewind, crash, perhaps crash again in the cycle after it, and settle.

        Returns whether the process was killed each time, before its end.
        """
        self.rewind()
        killed, swept_in_parts = True, False
        for kill in kills:
            code = self.cycle(kill=kill, bug=bug).code
            assert code in {0, KILLED}, f"the cycle ended with {code}"
            killed &= code == KILLED
            swept_in_parts |= self.database.check(self.made)
            self.made.advance(MINUTE)
        self._settle(cycles=2 if swept_in_parts else 1)
        return killed

    def violated(self, kill: Kill, bug: str) -> str | None:
        """Crash with a planted fault and settle; the invariant that is broken, None if all hold."""
        try:
            assert self.survive(kill, bug=bug), "not killed"
        except AssertionError as error:
            broken = str(error).partition("\n")[0]
            if not broken.startswith("I"):
                raise
            return broken
        return None

    def _settle(self, cycles: int) -> None:
        """Two cycles where a sweep was interrupted.

        The next one reads the rest of it, and what is missing in the rest was perhaps in the part
        before: only the one after it sees that a record was deleted.
        """
        for _ in range(cycles):
            self.made.advance(MINUTE)
            assert self.cycle().code == 0, "a clean cycle failed"
        self._check("repaired")
        writes = self.made.writes()
        self.made.advance(MINUTE)
        end = self.cycle("recompute", "sync")
        assert (end.code, end.changes) == (0, 0), f"I2: {end.changes} changes"
        assert self.made.writes() == writes, f"I9: {self.made.writes() - writes} writes"
        self._check("at rest")
        with Facts.of(self.database.url) as facts:
            assert facts.removals() == [], "I1: a removal is remembered for ever"

    def _check(self, when: str) -> None:
        with Facts.of(self.database.url) as facts:
            invariants.check_all(self.made, facts, FOREIGN, POISONED)
            told = facts.tell()
        if self.told.get(when):
            assert told == self.told[when], f"I1, I5: {_differences(self.told[when], told)}"
        else:
            self.told = {**self.told, when: told}


def _differences(expected: list[str], found: list[str]) -> str:
    missing = [f"- {line}" for line in expected if line not in found]
    extra = [f"+ {line}" for line in found if line not in expected]
    return " ".join([*missing[:5], *extra[:5]])


def sample(count: int, size: int, seed: int) -> list[int]:
    """One of each ``size`` equal parts of the numbers from 1 to ``count``."""
    chance = random.Random(seed)
    return [1 + int((part + chance.random()) * count / size) for part in range(size)]


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder without a disk to wait for: what was written outlives the process all the same."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def begin(folder: Path, database: Database) -> Iterator[Story]:
    """Bring shops and store to a steady state, let things happen at the shops, and stop there."""
    with ExitStack() as stack:
        made = stack.enter_context(world(folder, database.url))
        story = Story(made, database, stack.enter_context(nursery()))
        for platform, shop in (("shopify", made.shopify), ("woocommerce", made.woo)):
            _populate(shop, FIRST[platform])
            for number, tags in FOREIGN[platform].items():
                shop.set_tags(number, sorted(tags))
        # as long as the search index lags behind, the shop shows less than it has
        for _ in range(3):
            made.advance(10 * MINUTE)
            assert story.cycle().code == 0
        database.keep()
        made.advance(40 * 86400)
        for platform, shop in (("shopify", made.shopify), ("woocommerce", made.woo)):
            _change(made, shop, FIRST[platform])
        _change_more(made)
        # more than the time for which changes are read again: what is passed over stays so
        made.advance(60 * MINUTE)
        for stage in made.stages.values():
            stage.actor.log.clear()
        # in the middle of the orders the token is good no longer
        made.shopify.faults += [*[faults.none()] * 15, _refuse_token]
        story.remote = made.snapshot()
        # the story as it goes when nothing happens: what all others are compared with
        assert story.cycle().code == 0
        story.settle()
        yield story


def _refuse_token(request: Request, handle: Handler) -> Response:
    if request.path.endswith("/graphql.json"):
        return Response.json({"errors": "[API] Invalid API key or access token"}, 401)
    return handle(request)


def _populate(shop: ShopSandbox, first: int) -> None:
    """Customers with one to three orders each; half of them have ordered in the last 30 days."""
    for number in PRODUCTS:
        shop.put_product(Product(id=str(number), title=f"Mug {number}", product_type="kitchen"))
    for number in range(first, first + CUSTOMERS):
        shop.put_customer(_customer(number, START - timedelta(days=100)))
        for index in range(1 + number % 3):
            at = START - timedelta(days=3 + 2 * (number - first), hours=index)
            total = 1500 + 700 * (number % 9)
            shop.put_order(_order(number * 100 + index, number, total, at))


def _change(made: World, shop: ShopSandbox, first: int) -> None:
    """More than a page of everything: entries, exits, a guest, money given back."""
    at = made.now()
    for number in PRODUCTS:
        shop.put_product(Product(id=str(number), title=f"Cup {number}", product_type="kitchen"))
    for number in range(first + 8, first + 24):
        # all at the same instant: pages break between equal change times
        shop.put_order(_order(90000 + number, number, 9900, at))
    for number in range(first + 40, first + 45):
        shop.put_customer(_customer(number, at + timedelta(seconds=number)))
        shop.put_order(_order(91000 + number, number, 15000, at + timedelta(seconds=number)))
    guest = _order(92000 + first, None, 12000, at)
    shop.put_order(replace(guest, email=f"guest{first}@shopper.example"))
    for known in list(shop.projection()[0])[-12:]:
        shop.put_customer(replace(known, country="DE", updated_at=at + timedelta(minutes=1)))
    shop.refund(f"{first + 7}00", 1000, at)
    shop.refund(str(90000 + first + 8), 9900, at + timedelta(minutes=2))
    shop.cancel(f"{first + 19}00", at)


def _change_more(made: World) -> None:
    """What only one of the platforms has."""
    shopify, woo = made.shopify, made.woo
    # by hand, what the customer gets from us a moment later
    shopify.set_tags("18", [*shopify.tags()["18"], "big SPENDER"])
    woo.delete_customer("15")
    woo.trash_order("1600")
    for order in shopify.projection()[1]:
        if order.id == POISONED["shopify"]:
            shopify.put_order(replace(order, updated_at=made.now()))
    woo.touch_order(POISONED["woocommerce"])
    assert {"shopify": shopify.poison("orders"), "woocommerce": woo.poison("orders")} == POISONED
    made.klaviyo.put_profile("c0003@shopper.example", "SUBSCRIBED")
    made.klaviyo.put_profile("c0041@shopper.example", "UNSUBSCRIBED", "HARD_BOUNCE")


def _customer(number: int, at: datetime) -> Customer:
    return Customer(
        id=str(number),
        email=f"c{number:04d}@shopper.example",
        created_at=START - timedelta(days=200),
        updated_at=at,
        country="US",
    )


def _order(number: int, customer: int | None, total: int, at: datetime) -> Order:
    return Order(
        id=str(number),
        placed_at=at,
        updated_at=at,
        currency="USD",
        total=total,
        paid=True,
        customer_id=None if customer is None else str(customer),
        email=None if customer is None else f"c{customer:04d}@shopper.example",
        status="paid",
        lines=[OrderLine(id=str(number * 10), product_id="7", quantity=1, amount=total)],
    )
