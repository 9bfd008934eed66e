"""Writing tags into the customer meta."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson
import pytest

from segmentd.sdk import (
    Action,
    AuthError,
    Change,
    ConfigError,
    ConnectorSettings,
    Customer,
    Outcome,
    Receipt,
    Runtime,
    TransientError,
)
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_woocommerce.destination import WooCommerceDestination
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.sandbox.store import Meta

KEY = "segmentd_tags"
Handler = Callable[[Request], Response]


def add(name: str, *ids: int) -> list[Change]:
    return [Change(Action.ADD, name, str(id_), None) for id_ in ids]


def remove(name: str, *ids: int) -> list[Change]:
    return [Change(Action.REMOVE, name, str(id_), None) for id_ in ids]


def apply(destination: WooCommerceDestination, changes: Iterable[Change]) -> list[Receipt]:
    return list(destination.apply(changes, {}))


def outcomes(receipts: Iterable[Receipt]) -> list[tuple[str | None, Outcome]]:
    return [(receipt.change.customer_id, receipt.outcome) for receipt in receipts]


@pytest.fixture
def people(sandbox: WooCommerceSandbox) -> WooCommerceSandbox:
    for number in range(1, 6):
        sandbox.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
    return sandbox


def value(sandbox: WooCommerceSandbox, number: int) -> object:
    metas = {meta.key: meta.value for meta in sandbox.store.customers.rows[number].meta}
    return metas.get(KEY)


def written(sandbox: WooCommerceSandbox) -> list[Request]:
    return [entry.request for entry in sandbox.log if entry.write]


def test_sends_the_id_and_the_meta_and_nothing_else(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.clock.advance(5)
    receipts = apply(destination, add("VIP", 1, 2))
    assert outcomes(receipts) == [("1", Outcome.APPLIED), ("2", Outcome.APPLIED)]
    assert [receipt.updated_at for receipt in receipts] == [people.clock.now()] * 2
    (request,) = written(people)
    meta = [{"key": KEY, "value": "VIP"}]
    assert orjson.loads(request.body) == {
        "update": [{"id": 1, "meta_data": meta}, {"id": 2, "meta_data": meta}]
    }
    assert "_fields" not in request.query


def test_the_value_is_sorted_and_keeps_what_others_put_there(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.set_tags("1", ["wholesale", "B2B"])
    people.store.customers.rows[1].meta.append(Meta(9, "consent", "yes"))
    apply(destination, [*add("VIP", 1), *add("new", 1), *remove("gone", 1)])
    assert value(people, 1) == "B2B,VIP,new,wholesale"
    assert [meta.key for meta in people.store.customers.rows[1].meta] == [KEY, "consent"]


def test_the_last_tag_takes_the_key_along(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    apply(destination, add("VIP", 1))
    apply(destination, remove("vip ", 1))
    assert people.store.customers.rows[1].meta == []
    assert orjson.loads(written(people)[-1].body)["update"][0]["meta_data"][0]["value"] is None


def test_what_is_there_already_is_not_written(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.set_tags("1", ["zeta", "vip"])
    changed = people.store.customers.rows[1].modified
    people.clock.advance(60)
    receipts = apply(destination, [*add("VIP", 1), *remove("other", 1)])
    assert [receipt.outcome for receipt in receipts] == [Outcome.APPLIED] * 2
    assert [receipt.updated_at for receipt in receipts] == [changed] * 2
    assert written(people) == []
    assert value(people, 1) == "zeta,vip"


def test_customers_of_every_role(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.store.customers.rows[2].role = "wholesale_customer"
    assert outcomes(apply(destination, add("VIP", 2))) == [("2", Outcome.APPLIED)]
    assert value(people, 2) == "VIP"


def test_one_who_is_gone(people: WooCommerceSandbox, destination: WooCommerceDestination) -> None:
    people.delete_customer("2")
    assert outcomes(apply(destination, add("VIP", 1, 2, 3))) == [
        ("2", Outcome.GONE),
        ("1", Outcome.APPLIED),
        ("3", Outcome.APPLIED),
    ]


def test_one_who_goes_between_reading_and_writing(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    def delete(request: Request, handle: Handler) -> Response:
        people.delete_customer("2")
        return handle(request)

    people.faults += [faults.none(), delete]
    assert outcomes(apply(destination, add("VIP", 1, 2, 3))) == [
        ("1", Outcome.APPLIED),
        ("2", Outcome.GONE),
        ("3", Outcome.APPLIED),
    ]


def test_a_batch_that_fails_item_by_item(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    error = {"code": "woocommerce_rest_customer_invalid_email", "message": "", "data": None}
    plugin = {"code": "a_plugin_says_no", "message": "", "data": {"status": 400}}
    trouble = {"code": "internal", "message": "", "data": {"status": 500}}

    def spoil(request: Request, handle: Handler) -> Response:
        response = handle(request)
        items = orjson.loads(response.body)["update"]
        items[1] = {"id": 2, "error": plugin}
        items[2] = {"id": 3, "error": trouble}
        items[3] = {"id": 77, "error": error}
        items[4]["meta_data"] = []
        response.body = orjson.dumps({"update": items})
        return response

    people.faults += [faults.none(), spoil]
    receipts = apply(destination, add("VIP", 1, 2, 3, 4, 5))
    assert outcomes(receipts) == [
        ("1", Outcome.APPLIED),
        ("2", Outcome.REJECTED),
        ("5", Outcome.REJECTED),
    ], "3 and 4 are not named as done or refused: they are asked again"
    assert "a_plugin_says_no" in str(receipts[1].detail)
    assert "did not keep" in str(receipts[2].detail)


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"update": {}}'])
def test_a_batch_without_answers_is_not_done(
    people: WooCommerceSandbox, destination: WooCommerceDestination, content: bytes
) -> None:
    people.faults += [faults.none(), faults.body(content)]
    with pytest.raises(TransientError, match="names no customers"):
        apply(destination, add("VIP", 1))


def test_other_software_in_our_key_is_left_alone(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.store.customers.rows[1].meta = [Meta(1, KEY, {"a": "b"})]
    (receipt,) = apply(destination, add("VIP", 1))
    assert receipt.outcome is Outcome.REJECTED
    assert value(people, 1) == {"a": "b"}


def test_a_list_in_our_key_is_understood(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.store.customers.rows[1].meta = [Meta(1, KEY, ["old", "tags"])]
    apply(destination, add("VIP", 1))
    assert value(people, 1) == "VIP,old,tags"


def test_guests_cannot_be_tagged(destination: WooCommerceDestination) -> None:
    changes = [
        Change(Action.ADD, "VIP", None, "guest@shopper.example"),
        Change(Action.ADD, "VIP", "guest:guest@shopper.example", None),
    ]
    receipts = apply(destination, changes)
    assert [receipt.outcome for receipt in receipts] == [Outcome.REJECTED] * 2


# -- portions


def test_at_most_a_hundred_at_once(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 206):
        sandbox.put_customer(Customer(str(number)))
    receipts = apply(destination, add("VIP", *range(1, 206)))
    assert len(receipts) == 205
    assert [len(orjson.loads(request.body)["update"]) for request in written(sandbox)] == [
        100,
        100,
        5,
    ]
    assert len(sandbox.log) == 6


def test_a_slow_host_gets_smaller_batches(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 41):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [faults.none(), faults.status(504), faults.none(), faults.drop_answer()]
    receipts = apply(destination, add("VIP", *range(1, 41)))
    assert {receipt.outcome for receipt in receipts} == {Outcome.APPLIED}
    assert len(receipts) == 40
    sizes = [len(orjson.loads(request.body)["update"]) for request in written(sandbox)]
    assert sizes == [40, 20, 20], "what was done though the answer was lost is not done again"


def test_a_host_too_slow_to_read_so_many(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 41):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults.append(faults.html(502))
    assert len(apply(destination, add("VIP", *range(1, 41)))) == 40
    sizes = [len(orjson.loads(request.body)["update"]) for request in written(sandbox)]
    assert sizes == [20, 20]


def test_one_whom_a_plugin_hides_from_lists_is_not_gone(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.set_tags("1", ["old"])
    people.faults.append(faults.body(b"[]"))
    assert outcomes(apply(destination, add("VIP", 1))) == [("1", Outcome.APPLIED)]
    assert value(people, 1) == "VIP,old"


def test_a_busy_host_is_waited_for(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 41):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [faults.none(), faults.status(429, {"retry-after": "30"})]
    began = sandbox.clock.now()
    assert len(apply(destination, add("VIP", *range(1, 41)))) == 40
    assert (sandbox.clock.now() - began).total_seconds() >= 30
    assert len(written(sandbox)) == 2


def test_a_host_that_never_recovers_is_not_stormed(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 101):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [faults.none(), *[faults.status(500)] * 40]
    with pytest.raises(TransientError):
        apply(destination, add("VIP", *range(1, 101)))
    assert len(sandbox.log) <= 12


# -- rights


def test_a_shop_managers_key_writes_one_by_one(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.door.keys[0].owner = "shop_manager"
    people.store.customers.rows[2].role = "subscriber"
    people.put_customer(Customer("3", tags=["VIP"]))
    receipts = apply(destination, add("VIP", 1, 2, 3, 4))
    assert {(number, outcome) for number, outcome in outcomes(receipts)} == {
        ("1", Outcome.APPLIED),
        ("2", Outcome.REJECTED),
        ("3", Outcome.APPLIED),
        ("4", Outcome.APPLIED),
    }
    assert [request.method for request in written(people)] == ["POST", "PUT", "PUT", "PUT"]
    assert (value(people, 1), value(people, 2)) == ("VIP", None)
    apply(destination, add("New", 1))
    assert [request.method for request in written(people)][4:] == ["PUT"], "remembered"


def test_one_by_one_the_reading_stays_close_to_the_writing(
    sandbox: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    for number in range(1, 26):
        sandbox.put_customer(Customer(str(number)))
    sandbox.door.keys[0].owner = "shop_manager"
    destination.info()
    assert len(apply(destination, add("VIP", *range(1, 26)))) == 25
    reads = [entry.request for entry in sandbox.log if entry.request.method == "GET"]
    assert [int(request.query["per_page"]) for request in reads] == [10, 10, 5]


def test_one_by_one_a_customer_may_go(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.door.keys[0].owner = "shop_manager"
    destination.info()

    def delete(request: Request, handle: Handler) -> Response:
        people.delete_customer("1")
        return handle(request)

    people.faults += [faults.none(), delete]
    assert outcomes(apply(destination, add("VIP", 1))) == [("1", Outcome.GONE)]


def test_info_proves_the_right_to_write_and_writes_nothing(
    people: WooCommerceSandbox, destination: WooCommerceDestination, runtime: Runtime
) -> None:
    assert destination.info().warnings == []
    assert people.writes() == runtime.meter.writes == 0


def test_info_warns_of_a_shop_managers_key(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    people.door.keys[0].owner = "shop_manager"
    (warning,) = destination.info().warnings
    assert "one by one" in warning


@pytest.mark.parametrize(
    ("permissions", "owner", "says"),
    [("read", "administrator", "may only read"), ("read_write", "customer", "administrator")],
)
def test_a_key_that_may_not_write(
    people: WooCommerceSandbox,
    destination: WooCommerceDestination,
    permissions: str,
    owner: str,
    says: str,
) -> None:
    people.door.keys[0].permissions = permissions
    people.door.keys[0].owner = owner
    with pytest.raises(AuthError, match=says):
        apply(destination, add("VIP", 1))


def test_a_plugin_that_closes_batches_for_another_reason(
    people: WooCommerceSandbox, destination: WooCommerceDestination
) -> None:
    body = b'{"code":"plugin_forbids","message":"","data":{"status":403}}'
    people.faults += [faults.none(), faults.status(403, {"content-type": "x"}, body)]
    with pytest.raises(AuthError, match="plugin_forbids"):
        apply(destination, add("VIP", 1))


# -- names and settings


@pytest.mark.parametrize("name", ["a,b", "", " x", "x ", "x" * 256, "a\nb", "a\x00b"])
def test_impossible_names(destination: WooCommerceDestination, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a tag"):
        destination.check_name(name)


@pytest.mark.parametrize("name", ["VIP", "Größte Kundin", "B2B: net 30", '日本 "q" \\ 🔥'])
def test_possible_names(
    people: WooCommerceSandbox, destination: WooCommerceDestination, name: str
) -> None:
    destination.check_name(name)
    assert outcomes(apply(destination, add(name, 1))) == [("1", Outcome.APPLIED)]
    assert people.tags()["1"] == {name}


def test_takes_only_its_own_settings(runtime: Runtime) -> None:
    with pytest.raises(ConfigError, match="not the settings"):
        WooCommerceDestination(ConnectorSettings(), runtime)
