"""A shop and segmentd beside it, in random histories: after every step all must be as it ought."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from any_world import truth
from any_world.pool import FAMILIES, Choice, Pins, rules_of
from any_world.shop import HOUR, WorldShop, email_of
from any_world.system import Files, System, raw

DAY = 86_400
ACCOUNTS = ("1", "2", "3", "4", "5")
PEOPLE = (*ACCOUNTS, "6", "7")

accounts = st.sampled_from(ACCOUNTS)
anybody = st.sampled_from(PEOPLE)
ages = st.sampled_from([0, 1, 5, 20, 47, 100, 200, 300, 480, 700, 1500, -5, -30])
"""Hours since an order was placed; some lie in the future."""
totals = st.integers(0, 9).map(lambda n: n * 1700)
baskets = st.sampled_from([(), (), ("11",), ("12",), ("11", "12"), ("13", "11")])
crashes = st.one_of(
    st.just(()), st.just(()), st.just(()),
    st.tuples(st.integers(1, 12)), st.tuples(st.integers(1, 12), st.integers(1, 8)),
)  # fmt: skip
"""At which commits a cycle ends, and the one after it."""
passed = st.sampled_from([1, 60, 600, 3600, 40_000, DAY, DAY, 3 * DAY, 8 * DAY, 31 * DAY, 95 * DAY])
kinds = st.sampled_from(["Shoes", "Hats"])
choices: st.SearchStrategy[Choice] = st.lists(
    st.sampled_from(sorted(FAMILIES)).flatmap(
        lambda family: st.tuples(st.just(family), st.integers(0, len(FAMILIES[family]) - 1))
    ),
    max_size=3,
    unique_by=lambda each: each[0],
).map(lambda found: tuple(sorted(found)))  # fmt: skip
pins: st.SearchStrategy[Pins] = st.one_of(
    st.just(()),
    st.lists(
        st.tuples(
            st.sampled_from(["gold", "bronze", "few", "grace", "window", "share", "recent"]),
            st.sampled_from(["shop:1", "shop:2", "c3@shopper.example", "c6@shopper.example",
                             "shop:77"]),
            st.booleans(),
            st.sampled_from([None, 0, 1, 9]),
        ),
        max_size=2,
    ).map(tuple),
)  # fmt: skip


class AnyWorld(RuleBasedStateMachine):
    """Each rule lets something happen in the shop, then a cycle, then everything is looked at."""

    files: Files

    @initialize(
        chosen=choices,
        pinned=pins,
        start=st.integers(0, 3),
        pushing=st.booleans(),
        full=st.sampled_from([False, False, True]),
    )
    def open(self, chosen: Choice, pinned: Pins, start: int, pushing: bool, full: bool) -> None:
        self.shop = WorldShop()
        for product, kind in (("11", "Shoes"), ("12", "Hats"), ("13", "Shoes")):
            self.shop.retitle(product, kind, 2000)
        for number in range(1, start + 1):
            self.shop.put_account(str(number), country="DE" if number % 2 else "AT")
            self.shop.place(str(number), 70 * number * HOUR, 2500 * number, ("11",), guest=False)
        self.shop.place("6", 30 * HOUR, 4000, ("12",), guest=True)
        rules = rules_of(chosen, pinned)
        self.system = System(self.files, self.shop, rules, pushing=pushing, full=full)
        # looked at after the first thing that happens: a fifth of the time would go into beginnings
        self.system.cycle((), pulling=True)
        self.system.settle()

    # what happens in the shop

    @rule(who=anybody, ago=ages, total=totals, bought=baskets, guest=st.booleans(), crash=crashes)
    def order(self, who: str, ago: int, total: int, bought: Any, guest: bool, crash: Any) -> None:
        self.shop.tick()
        self.shop.place(who, ago * HOUR, total, bought, guest=guest)
        self._look(crash)

    @precondition(lambda self: self.shop.orders)
    @rule(data=st.data(), part=st.sampled_from([0.3, 1.0]), crash=crashes)
    def refund(self, data: st.DataObject, part: float, crash: Any) -> None:
        self.shop.tick()
        order = self.shop.orders[self._some_order(data)]
        left = order.total - sum(refund.amount for refund in order.refunds)
        self.shop.refund(order.id, int(left * part), self.shop.now)
        self._look(crash)

    @precondition(lambda self: self.shop.orders)
    @rule(
        data=st.data(),
        what=st.sampled_from(["cancel", "cancel later", "restore", "delete", "unpaid", "backdate"]),
        crash=crashes,
    )
    def change_order(self, data: st.DataObject, what: str, crash: Any) -> None:
        self.shop.tick()
        number = self._some_order(data)
        order = self.shop.orders[number]
        order.updated_at = self.shop.now
        match what:
            case "cancel":
                order.cancelled_at = self.shop.now
            case "cancel later":
                order.cancelled_at = self.shop.now + 20 * HOUR
            case "restore":
                order.cancelled_at = None
            case "delete":
                self.shop.delete_order(number)
            case "unpaid":
                order.paid = not order.paid
            case "backdate":
                order.placed_at -= 60 * HOUR
        self._look(crash)

    @rule(
        who=anybody,
        tags=st.sampled_from([[], ["vip"], ["vip", "other"]]),
        level=st.sampled_from(["gold", "silver", ""]),
        crash=crashes,
    )
    def edit_account(self, who: str, tags: list[str], level: str, crash: Any) -> None:
        """Or open one, which may be that of somebody who bought as a guest."""
        self.shop.tick()
        traits = {"metafields.loyalty.level": level} if level else {}
        ours = [tag for tag in self.shop.tags().get(who, ()) if tag.startswith("In ")]
        self.shop.put_account(who, tags=[*ours, *tags], traits=traits)
        self.shop.merchants[who] = set(tags)
        self._look(crash)

    @precondition(lambda self: self.shop.customers)
    @rule(data=st.data(), to=anybody, crash=crashes)
    def change_address(self, data: st.DataObject, to: str, crash: Any) -> None:
        self.shop.tick()
        who = data.draw(st.sampled_from(sorted(self.shop.customers)))
        taken = {each.email for each in self.shop.customers.values()}
        if email_of(to) not in taken:
            self.shop.put_account(who, email=email_of(to))
        self._look(crash)

    @precondition(lambda self: self.shop.customers)
    @rule(data=st.data(), crash=crashes)
    def delete_account(self, data: st.DataObject, crash: Any) -> None:
        self.shop.tick()
        self.shop.delete_account(data.draw(st.sampled_from(sorted(self.shop.customers))))
        self._look(crash)

    @rule(number=st.sampled_from(["11", "12", "13"]), kind=kinds, crash=crashes)
    def retitle(self, number: str, kind: str, crash: Any) -> None:
        self.shop.tick()
        self.shop.retitle(number, kind, 3000)
        self._look(crash)

    # what happens beside it

    @rule(chosen=choices, pinned=pins, crash=crashes)
    def edit_rules(self, chosen: Choice, pinned: Pins, crash: Any) -> None:
        self.shop.tick()
        self.system.rules = rules_of(chosen, pinned)
        self._look(crash, pulling=False)

    @rule(seconds=passed, crash=crashes)
    def wait(self, seconds: int, crash: Any) -> None:
        self.shop.tick(seconds)
        self._look(crash, pulling=False)

    @rule(early=st.booleans(), crash=crashes)
    def wait_for_the_next_due(self, early: bool, crash: Any) -> None:
        due = self.system.store.waiting(self.shop.now).due
        if due is not None:
            until = due - timedelta(seconds=early) - self.shop.now
            self.shop.tick(max(until.total_seconds(), 0))
        self._look(crash, pulling=False)

    # what must be

    def _look(self, crash: tuple[int, ...], *, pulling: bool = True) -> None:
        note(f"# {self.shop.now:%Y-%m-%d %H:%M:%S}, crashes at {list(crash)}")
        self.system.cycle(crash, pulling=pulling)
        self.system.settle()
        with raw(self.system.files.live) as live:
            wrong = truth.Judge(live, self.shop, self.system.rules).wrong()
            assert wrong == [], "\n".join(wrong)
            stored, due = truth.state(live), truth.due(live)
        if self.system.pushing:
            self._tags_are_as_wanted()
        again = self.system.full_on_copy()
        assert (again.entered, again.left) == (0, 0), f"a pass over everybody changes: {again}"
        with raw(self.system.files.copy) as copy:
            rebuilt = truth.state(copy)
            late = {who: at for who, at in truth.due(copy).items() if at < due[who]}
        assert rebuilt == stored, f"{rebuilt} computed anew, but {stored} stored"
        assert late == {}, f"{late} is when they are due, but they are looked at {due}"

    def _tags_are_as_wanted(self) -> None:
        wanted = {who: {f"In {key}" for key in keys} for who, keys in self.system.inside().items()}
        for who, tags in self.shop.tags().items():
            ours = {tag for tag in tags if tag.startswith("In ")}
            assert ours == wanted.get(who, set()), f"{who} has {ours} instead of {wanted}"
            assert self.shop.merchants.get(who, set()) == tags - ours, f"{who} lost {tags}"

    def _some_order(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(sorted(self.shop.orders))))
