"""The sandbox runs in bulk what Shopify runs, refuses what it refuses, and keeps files as long."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from segmentd.sdk import OrderLine
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_shopify.operations import BULK_LIST, BULK_RUN, BULK_STATE
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox
from segmentd_shopify.sandbox.bulk import Ending
from segmentd_shopify.sandbox.bulk_rules import refusals

Ask = Callable[..., Any]
Make = Callable[..., Any]
ORDERS = "{ orders { edges { node { id tags lineItems { edges { node { id } } } } } } }"
CANCEL = """mutation ($id: ID!) { bulkOperationCancel(id: $id) {
  bulkOperation { id status } userErrors { field message } } }"""
WHOLE = """query ($id: ID!) { bulkOperation(id: $id) { id status type errorCode createdAt
  completedAt objectCount rootObjectCount fileSize url partialDataUrl } }"""


@pytest.fixture
def run(ask: Ask) -> Callable[..., str]:
    """Begins a job and returns its id."""

    def begin(query: str = ORDERS, *, grouped: bool = True) -> str:
        answer = ask(BULK_RUN, query=query, grouped=grouped)["data"]["bulkOperationRunQuery"]
        assert answer["userErrors"] == []
        assert answer["bulkOperation"]["status"] == "CREATED"
        job: str = answer["bulkOperation"]["id"]
        return job

    return begin


@pytest.fixture
def end(ask: Ask, sandbox: ShopifySandbox) -> Callable[[str], Any]:
    """Waits until a job has ended, and returns what it says then."""

    def wait(job: str) -> Any:
        for _ in range(3):
            ask(BULK_STATE, id=job)
            sandbox.clock.advance(2)
        return ask(WHOLE, id=job)["data"]["bulkOperation"]

    return wait


@pytest.fixture
def fetch(sandbox: ShopifySandbox) -> Callable[..., Response]:
    def get(url: str, **headers: str) -> Response:
        parts = urlsplit(url)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return sandbox.respond(Request("GET", parts.path, parts.query, names, b""))

    return get


@pytest.fixture
def orders(sandbox: ShopifySandbox, make_order: Make) -> None:
    """Three orders: of one line, of two, and of none."""
    two = [OrderLine("21", None, 1, 1), OrderLine("22", None, 1, 1)]
    for number, lines in ((1, [OrderLine("11", None, 1, 1)]), (2, two), (3, [])):
        sandbox.put_order(make_order(number, lines=lines))
    sandbox.clock.advance(60)


# -- what runs


@pytest.mark.usefixtures("orders")
def test_a_job_from_its_beginning_to_its_file(
    ask: Ask, sandbox: ShopifySandbox, run: Callable[..., str], fetch: Callable[..., Response]
) -> None:
    job = run()
    states = []
    for _ in range(4):
        states.append(ask(BULK_STATE, id=job)["data"]["bulkOperation"]["status"])
        sandbox.clock.advance(1)
    assert states == ["CREATED", "RUNNING", "COMPLETED", "COMPLETED"]
    seen = ask(WHOLE, id=job)["data"]["bulkOperation"]
    assert (seen["objectCount"], seen["rootObjectCount"]) == ("6", "3")
    body = fetch(seen["url"]).body
    assert seen["fileSize"] == str(len(body))
    lines = body.splitlines()
    assert lines[0] == b'{"id":"gid:\\/\\/shopify\\/Order\\/1","tags":[]}'
    parents = [orjson.loads(line).get("__parentId", "-")[-1] for line in lines]
    assert parents == ["-", "1", "-", "2", "2", "-"]


@pytest.mark.usefixtures("orders")
def test_children_that_are_not_grouped_come_somewhere_behind(
    run: Callable[..., str], end: Callable[[str], Any], fetch: Callable[..., Response]
) -> None:
    lines = fetch(end(run(grouped=False))["url"]).body.splitlines()
    assert [b"__parentId" in line for line in lines] == [False] * 3 + [True] * 3


def test_all_rows_come_whatever_number_is_asked_for(
    sandbox: ShopifySandbox,
    make_order: Make,
    run: Callable[..., str],
    end: Callable[[str], Any],
) -> None:
    many = [OrderLine(str(n), None, 1, 1) for n in range(1000, 1300)]
    for number in range(1, 302):
        sandbox.put_order(make_order(number, lines=many if number == 1 else []))
    sandbox.clock.advance(60)
    query = """{ orders(first: 1) { edges { node { id lineItems(first: 1) { edges { node { id } }
      pageInfo { hasNextPage } } } } } }"""
    assert end(run(query))["objectCount"] == "601"


def test_nothing_found_is_no_file(run: Callable[..., str], end: Callable[[str], Any]) -> None:
    seen = end(run())
    assert (seen["status"], seen["objectCount"], seen["url"]) == ("COMPLETED", "0", None)


@pytest.mark.parametrize(
    "sandbox",
    [{"scopes": ALL_SCOPES - {"read_orders"}}, {"protected": frozenset({"Order.tags"})}],
    indirect=True,
)
@pytest.mark.usefixtures("orders")
def test_what_is_denied_fails_the_job(run: Callable[..., str], end: Callable[[str], Any]) -> None:
    seen = end(run())
    assert (seen["status"], seen["errorCode"]) == ("FAILED", "ACCESS_DENIED")


@pytest.mark.usefixtures("orders")
def test_a_failed_job_leaves_a_part(
    sandbox: ShopifySandbox,
    run: Callable[..., str],
    end: Callable[[str], Any],
    fetch: Callable[..., Response],
) -> None:
    sandbox.bulk.script = [Ending("FAILED", "INTERNAL_SERVER_ERROR", share=0.5)]
    seen = end(run())
    assert (seen["status"], seen["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")
    assert (seen["url"], seen["objectCount"], seen["completedAt"]) == (None, "3", None)
    assert len(fetch(seen["partialDataUrl"]).body.splitlines()) == 3
    assert end(run())["status"] == "COMPLETED"


def test_it_is_no_write(sandbox: ShopifySandbox, run: Callable[..., str], ask: Ask) -> None:
    ask(CANCEL, id=run())
    assert sandbox.writes() == 0


# -- how many, and how they stop


def test_five_run_at_once(ask: Ask, run: Callable[..., str], end: Callable[[str], Any]) -> None:
    jobs = [run() for _ in range(5)]
    answer = ask(BULK_RUN, query=ORDERS, grouped=True)["data"]["bulkOperationRunQuery"]
    [error] = answer["userErrors"]
    assert (answer["bulkOperation"], error["field"]) == (None, None)
    assert error["code"] == "OPERATION_IN_PROGRESS"
    assert all(job in error["message"] for job in jobs)
    end(jobs[0])
    run()


def test_newest_first(ask: Ask, run: Callable[..., str]) -> None:
    jobs = [run(), run("{ customers { edges { node { id } } } }")]
    nodes = ask(BULK_LIST)["data"]["bulkOperations"]["nodes"]
    assert [node["id"] for node in nodes] == jobs[::-1]
    assert nodes[1]["query"] == ORDERS


@pytest.mark.usefixtures("orders")
def test_a_job_can_be_stopped(ask: Ask, run: Callable[..., str], end: Callable[[str], Any]) -> None:
    job = run()
    answer = ask(CANCEL, id=job)["data"]["bulkOperationCancel"]
    assert answer == {"bulkOperation": {"id": job, "status": "CANCELING"}, "userErrors": []}
    assert end(job)["status"] == "CANCELED"
    [error] = ask(CANCEL, id=job)["data"]["bulkOperationCancel"]["userErrors"]
    assert error["message"] == "A bulk operation cannot be canceled when it is canceled"


def test_an_unknown_job(ask: Ask) -> None:
    assert ask(BULK_STATE, id="gid://shopify/BulkOperation/1")["data"]["bulkOperation"] is None
    [error] = ask(BULK_STATE, id="gid://shopify/Order/1")["errors"]
    assert error["extensions"]["code"] == "RESOURCE_NOT_FOUND"


# -- the file


@pytest.mark.usefixtures("orders")
def test_parts_of_a_file(
    sandbox: ShopifySandbox,
    run: Callable[..., str],
    end: Callable[[str], Any],
    fetch: Callable[..., Response],
) -> None:
    url = end(run())["url"]
    whole = fetch(url).body
    part = fetch(url, range="bytes=10-")
    assert (part.status, part.body) == (206, whole[10:])
    assert part.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"
    assert fetch(url, range=f"bytes={len(whole)}-").status == 416
    sandbox.bulk.packed = True
    assert gzip.decompress(fetch(url, accept_encoding="gzip, br").body) == whole
    assert fetch(url).body == whole


@pytest.mark.usefixtures("orders")
def test_who_may_have_a_file(
    ask: Ask,
    sandbox: ShopifySandbox,
    run: Callable[..., str],
    end: Callable[[str], Any],
    fetch: Callable[..., Response],
) -> None:
    job = run()
    url = end(job)["url"]
    assert fetch(url, x_shopify_access_token="shpat_x").status == 400
    assert fetch(url.partition("?")[0]).status == 403
    sandbox.clock.advance(7 * 86_400)
    assert fetch(url).status == 403
    seen = ask(WHOLE, id=job)["data"]["bulkOperation"]
    assert (seen["status"], seen["url"]) == ("EXPIRED", None)


# -- what does not run


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Invalid bulk query: Syntax Error"),
        ("{ orders { edges { node { nope } } } }", "doesn't exist"),
        ('mutation { tagsAdd(id: "gid://shopify/Customer/1", tags: []) { node { id } } }',
         "Only `query` operations"),
        ("{ shop { name } }", "at least one connection"),
        ("{ orders { nodes { id } } }", "Invalid connection fields: 'orders'"),
        ("{ orders { edges { node { tags lineItems { edges { node { id } } } } } } }",
         "without 'id': orders"),
        ("{ orders { edges { node { me: id lineItems { edges { node { id } } } } } } }",
         "without 'id': orders"),
        ("{ orders { edges { node { id } } } customers { edges { node { id } } } }",
         "single top level field"),
        ('{ node(id: "gid://shopify/Order/1") { id } }', "top level `node`"),
        ("{ orders { edges { node { id refunds { id refundLineItems { edges { node { quantity } } "
         "} } } } } }", "within a list field"),
        ("{ customers { edges { node { id orders { edges { node { id lineItems { edges { node { id "
         "customAttributes { key } product { id variants { edges { node { id } } } } } } } } } } } "
         "} } }", "depth greater than 2"),
        ("{ products { edges { node { id "
         + " ".join(f"v{n}: variants {{ edges {{ node {{ id }} }} }}" for n in range(5))
         + " } } } }", "more than 5 connections"),
        ("{ orders { edges { node { id } } } } " + "#" * 65_535, "too large"),
    ],
)  # fmt: skip
def test_refuses_in_shopifys_words(query: str, words: str) -> None:
    messages = refusals(query, "2026-10")
    assert any(words in message for message in messages), messages


def test_a_refusal_is_an_error_of_the_user(ask: Ask) -> None:
    answer = ask(BULK_RUN, query="{ shop { name } }", grouped=False)["data"]
    assert answer["bulkOperationRunQuery"] == {
        "bulkOperation": None,
        "userErrors": [
            {
                "field": ["query"],
                "message": "Bulk queries must contain at least one connection.",
                "code": "INVALID",
            }
        ],
    }


def test_fragments_are_looked_into() -> None:
    text = """{ orders { edges { node { ...F ... on Order { id } } } } }
      fragment F on Order { lineItems { nodes { id } } }"""
    [message] = refusals(text, "2026-07")
    assert message.endswith("Invalid connection fields: 'lineItems'.")
