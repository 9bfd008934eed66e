from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from segmentd.sdk import (
    Action,
    AuthError,
    Change,
    ConfigError,
    Outcome,
    Receipt,
    Runtime,
    TransientError,
)
from segmentd.sdk.testing import faults
from segmentd_shopify.destination import ShopifyDestination
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox

Make = Callable[..., Any]


def add(customer_id: str | None, tag: str) -> Change:
    return Change(Action.ADD, tag, customer_id, None)


def remove(customer_id: str | None, tag: str) -> Change:
    return Change(Action.REMOVE, tag, customer_id, None)


def apply(destination: ShopifyDestination, *changes: Change) -> dict[Change, Receipt]:
    receipts = list(destination.apply(changes, {}))
    assert Counter(receipt.change for receipt in receipts) == Counter(changes)
    return {receipt.change: receipt for receipt in receipts}


@pytest.fixture
def put(sandbox: ShopifySandbox, make_customer: Make, start: datetime) -> Callable[..., str]:
    """Puts a customer with tags into the shop, a day old."""

    def make(number: int, *tags: str) -> str:
        return sandbox.put_customer(
            make_customer(number, tags=list(tags), updated_at=start - timedelta(days=1))
        )

    return make


def test_adds_and_removes_of_one_customer_go_together(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    one = put(1, "Wholesale", "old", "older")
    changes = [add(one, "VIP"), remove(one, "old"), add(one, "New"), remove(one, "older")]
    receipts = apply(destination, *changes)
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.APPLIED}
    assert sandbox.tags()[one] == {"Wholesale", "VIP", "New"}
    [request] = sandbox.log
    variables = orjson.loads(request.request.body)["variables"]
    assert (variables["tags0"], variables["tags1"]) == (["VIP", "New"], ["old", "older"])


def test_never_replaces_a_list(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    apply(destination, add(put(1), "VIP"))
    assert b"customerUpdate" not in sandbox.log[0].request.body
    assert b"customerSet" not in sandbox.log[0].request.body


def test_receipts_tell_when_the_customer_changed(
    destination: ShopifyDestination,
    sandbox: ShopifySandbox,
    put: Callable[..., str],
    start: datetime,
) -> None:
    new, present = add(put(1), "VIP"), add(put(2, "vip"), "VIP")
    receipts = apply(destination, new, present)
    assert receipts[new].updated_at == start
    assert receipts[present].updated_at == start - timedelta(days=1)
    assert receipts[present].outcome is Outcome.APPLIED
    assert sandbox.tags()["2"] == {"vip"}


def test_another_spelling_counts_as_there(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    put(1, "vip")
    two = put(2)
    assert apply(destination, add(two, "VIP"))[add(two, "VIP")].outcome is Outcome.APPLIED
    assert sandbox.tags()[two] == {"vip"}
    assert apply(destination, remove(two, "Vip"))[remove(two, "Vip")].outcome is Outcome.APPLIED
    assert sandbox.tags()[two] == set()


@pytest.mark.parametrize("change", [add("404", "VIP"), remove("404", "VIP")])
def test_a_customer_who_is_gone(
    destination: ShopifyDestination, put: Callable[..., str], change: Change
) -> None:
    other = add(put(1), "VIP")
    receipts = apply(destination, change, other)
    assert receipts[change].outcome is Outcome.GONE
    assert receipts[other].outcome is Outcome.APPLIED


@pytest.mark.parametrize("customer_id", [None, "", "guest:a@shopper.example", "1&x"])
def test_who_has_no_customer_id_of_the_shop_is_refused(
    destination: ShopifyDestination, sandbox: ShopifySandbox, customer_id: str | None
) -> None:
    change = add(customer_id, "VIP")
    assert apply(destination, change)[change].outcome is Outcome.REJECTED
    assert sandbox.log == []


def test_a_full_customer_is_refused_alone(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    full, free = put(1, *(f"tag {n}" for n in range(250))), put(2)
    changes = [add(full, "VIP"), add(free, "VIP")]
    receipts = apply(destination, *changes)
    assert receipts[changes[0]].outcome is Outcome.REJECTED
    assert receipts[changes[0]].detail == "Tags cannot be more than 250"
    assert receipts[changes[1]].outcome is Outcome.APPLIED
    assert "VIP" not in sandbox.tags()[full]


def test_the_last_free_place_is_used(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    full = put(1, *(f"tag {n}" for n in range(249)))
    outcomes = [r.outcome for r in apply(destination, add(full, "A"), add(full, "B")).values()]
    assert sorted(outcomes) == [Outcome.APPLIED, Outcome.REJECTED]
    assert len(sandbox.tags()[full]) == 250


def test_a_tag_that_is_too_long_is_refused_with_the_reason(
    destination: ShopifyDestination, put: Callable[..., str]
) -> None:
    change = add(put(1), "x" * 256)
    receipt = apply(destination, change)[change]
    assert receipt.outcome is Outcome.REJECTED
    assert receipt.detail == "Tags is too long (maximum is 255 characters)"


def test_a_tag_that_shopify_dropped_without_a_word_is_refused(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    """On some stores tags of other scripts that collate alike are dropped."""
    node = {"id": "gid://shopify/Customer/1", "tags": ["テ"], "updatedAt": "2026-11-20T09:00:00Z"}
    body = {"data": {"m0": {"node": node, "userErrors": []}}}
    sandbox.faults = [faults.body(orjson.dumps(body))]
    kept, dropped = add(put(1), "テ"), add("1", "ス")
    receipts = apply(destination, kept, dropped)
    assert receipts[kept].outcome is Outcome.APPLIED
    assert receipts[dropped].outcome is Outcome.REJECTED
    assert "did not keep" in str(receipts[dropped].detail)


def test_a_request_refused_as_a_whole_is_asked_one_by_one(
    destination: ShopifyDestination,
    sandbox: ShopifySandbox,
    put: Callable[..., str],
    recorded: Callable[[str], Any],
) -> None:
    refusal = next(
        case["response"] for case in recorded("tags_mutations") if "untaggable" in case["case"]
    )
    changes = [add(put(1), "VIP"), add(put(2), "VIP")]
    sandbox.faults = [faults.body(orjson.dumps(refusal))] * 2
    receipts = apply(destination, *changes)
    assert receipts[changes[0]].outcome is Outcome.REJECTED
    assert "invalid id" in str(receipts[changes[0]].detail)
    assert receipts[changes[1]].outcome is Outcome.APPLIED


def test_the_same_tag_on_and_off_again_goes_in_order(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    one = put(1)
    apply(destination, add(one, "VIP"), remove(one, "vip"))
    assert sandbox.tags()[one] == set()
    assert len(sandbox.log) == 2


def test_stays_within_the_cost_budget(
    destination: ShopifyDestination,
    sandbox: ShopifySandbox,
    runtime: Runtime,
    put: Callable[..., str],
) -> None:
    changes = [add(put(number), "VIP") for number in range(1, 301)]
    receipts = apply(destination, *changes)
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.APPLIED}
    # 300 writes of 10 points, 2000 in the bucket, 100 come back in a second
    assert runtime.meter.waited == pytest.approx(10.0)
    assert (runtime.meter.requests, runtime.meter.retries) == (15, 0)


def test_another_app_that_empties_the_bucket_is_waited_for(
    destination: ShopifyDestination,
    sandbox: ShopifySandbox,
    sleeps: list[float],
    put: Callable[..., str],
) -> None:
    sandbox.bucket.take(1995)
    change = add(put(1), "VIP")
    assert apply(destination, change)[change].outcome is Outcome.APPLIED
    assert len(sandbox.log) == 2
    # 5 points are there, 10 are needed; or the random part of half a second, if that is longer
    assert 0.05 <= sleeps[0] <= 0.5


def test_a_lost_answer_is_asked_again(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    sandbox.faults = [faults.drop_answer()]
    change = add(put(1), "VIP")
    assert apply(destination, change)[change].outcome is Outcome.APPLIED
    assert sandbox.tags()["1"] == {"VIP"}
    assert sandbox.writes() == 2


def test_what_was_confirmed_before_an_error_has_its_receipts(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    changes = [add(put(number), "VIP") for number in range(1, 31)]
    sandbox.faults = [faults.none()] + [faults.status(503)] * 10
    receipts = destination.apply(changes, {})
    confirmed = {next(receipts).change.customer_id for _ in range(20)}
    with pytest.raises(TransientError):
        next(receipts)
    assert confirmed == {key for key, tags in sandbox.tags().items() if tags}


# -- names and rights


@pytest.mark.parametrize("name", ["", "  ", " VIP", "VIP ", "a,b", "x" * 256])
def test_refuses_names_that_no_tag_can_have(destination: ShopifyDestination, name: str) -> None:
    with pytest.raises(ConfigError):
        destination.check_name(name)


@pytest.mark.parametrize("name", ["VIP", "Lapsed 90d", "segd:vip", "x" * 255, "Größte Kundin"])
def test_takes_names_that_a_tag_can_have(destination: ShopifyDestination, name: str) -> None:
    destination.check_name(name)


def test_info_needs_the_right_to_write(
    destination: ShopifyDestination, sandbox: ShopifySandbox
) -> None:
    assert destination.info().name == "sandbox"
    sandbox.scopes = ALL_SCOPES - {"write_customers"}
    with pytest.raises(AuthError, match="write_customers"):
        destination.info()


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"write_customers"}}], indirect=True)
def test_without_the_right_nothing_is_written(
    destination: ShopifyDestination, sandbox: ShopifySandbox, put: Callable[..., str]
) -> None:
    with pytest.raises(AuthError, match="write_customers"):
        apply(destination, add(put(1), "VIP"))
    assert sandbox.tags()["1"] == set()
