"""Whom the suite for destinations puts on names, and how it finds them there."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from segmentd.domain.records import Customer
from segmentd.sdk.contract import Action, Capabilities, Change, Outcome, Receipt
from segmentd.sdk.testing.bench import (
    DestinationBench,
)
from segmentd.sdk.testing.sandbox import (
    ListSandbox,
    Sandbox,
    ShopSandbox,
)

Bench = DestinationBench[Sandbox]
FOREIGN = ["Wholesale", "größte Kundin", "B2B: net 30"]
"""Tags that a merchant gave by hand."""


# -- whom the changes are about

Person = tuple[str | None, str]
"""Customer id in a shop, and e-mail."""


def put_people(bench: Bench, count: int) -> list[Person]:
    """Customers of the shop; for lists, people that the platform need not know yet."""
    emails = [f"shopper{number}@shopper.example" for number in range(1, count + 1)]
    if not isinstance(bench.sandbox, ShopSandbox):
        return [(None, email) for email in emails]
    put = bench.sandbox.put_customer
    return [(put(Customer(str(100 + n), email=email)), email) for n, email in enumerate(emails)]


def shop_of(bench: Bench) -> ShopSandbox:
    if not isinstance(bench.sandbox, ShopSandbox):
        pytest.skip("is no shop")
    return bench.sandbox


def lists_of(bench: Bench) -> ListSandbox:
    if not isinstance(bench.sandbox, ListSandbox):
        pytest.skip("has no lists")
    return bench.sandbox


def key_of(person: Person) -> str:
    return person[0] or person[1]


def key_of_change(change: Change) -> str:
    return change.customer_id or change.email or ""


def keys(people: Iterable[Person]) -> set[str]:
    return {key_of(person) for person in people}


def change_of(action: Action, name: str, person: Person) -> Change:
    return Change(action, name, *person)


def adds(name: str, people: Iterable[Person]) -> list[Change]:
    return [change_of(Action.ADD, name, person) for person in people]


def removes(name: str, people: Iterable[Person]) -> list[Change]:
    return [change_of(Action.REMOVE, name, person) for person in people]


# -- what is done and what is found


def capabilities(bench: Bench) -> Capabilities:
    with bench.destination() as destination:
        return destination.capabilities


def more_than_a_batch(bench: Bench) -> int:
    """Two batches and one more; of huge batches one and one more."""
    size = capabilities(bench).batch_size
    return 2 * size + 1 if size <= 500 else size + 1


def apply(bench: Bench, changes: Sequence[Change]) -> list[Receipt]:
    """Prepare the names and carry the changes out to the end."""
    receipts, error = apply_until_error(bench, changes)
    if error:
        raise error
    return receipts


def apply_until_error(
    bench: Bench, changes: Sequence[Change]
) -> tuple[list[Receipt], Exception | None]:
    """The receipts until the end or until an error."""
    receipts: list[Receipt] = []
    unknown = {change.name for change in changes} - bench.names.keys()
    if unknown:
        bench.prepare(*sorted(unknown))
    with bench.destination() as destination:
        try:
            receipts.extend(destination.apply(iter(changes), bench.names))
        except Exception as error:  # noqa: BLE001 - judged by the test
            return receipts, error
    return receipts, None


def held(bench: Bench, name: str) -> set[str]:
    """Who has the name at the platform: customer ids, or e-mails."""
    if isinstance(bench.sandbox, ShopSandbox):
        return {key for key, tags in bench.sandbox.tags().items() if name in tags}
    assert isinstance(bench.sandbox, ListSandbox)
    return bench.sandbox.members().get(name, set())


def assert_all(receipts: Sequence[Receipt], changes: Sequence[Change], outcome: Outcome) -> None:
    """Each change has exactly one receipt, with this outcome."""
    assert [entry for entry in receipts if entry.outcome is not outcome] == []
    assert Counter(receipt.change for receipt in receipts) == Counter(changes)


def assert_only_what_is_held_was_confirmed(bench: Bench, receipts: Sequence[Receipt]) -> None:
    applied = [entry.change for entry in receipts if entry.outcome is Outcome.APPLIED]
    assert {key_of_change(change) for change in applied} <= held(bench, "VIP")
