"""Tags in the sandbox follow the rules that were recorded from the real API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from segmentd_shopify.sandbox import ShopifySandbox

Ask = Callable[..., Any]
Make = Callable[..., Any]
BOTH = """mutation ($id: ID!, $add: [String!]!, $remove: [String!]!) {
  added: tagsAdd(id: $id, tags: $add) {
    node { ... on Customer { id tags } } userErrors { field message } }
  removed: tagsRemove(id: $id, tags: $remove) {
    node { ... on Customer { id tags } } userErrors { field message } }
}"""
ADD = """mutation ($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) {
  node { ... on Customer { id tags updatedAt } } userErrors { field message } } }"""
ONE = "gid://shopify/Customer/1"


@pytest.fixture
def put(sandbox: ShopifySandbox, make_customer: Make, start: datetime) -> Callable[..., None]:
    def make(number: int, *tags: str) -> None:
        day = start - timedelta(days=1)
        sandbox.put_customer(make_customer(number, tags=list(tags), updated_at=day))

    return make


def tags_after(ask: Ask, *tags: str) -> list[str]:
    answer = ask(ADD, id=ONE, tags=list(tags))["data"]["tagsAdd"]
    assert answer["userErrors"] == []
    return list(answer["node"]["tags"])


@pytest.mark.parametrize("case", [0, 1, 2])
def test_the_recorded_mutations(
    ask: Ask, put: Callable[..., None], recorded: Callable[[str], Any], case: int
) -> None:
    put(7700000000103, "a", "b", "Red")
    example = recorded("tags_mutations")[case]
    text = BOTH if case == 0 else ADD.replace(" updatedAt", "")
    answer = ask(text, **example["variables"])
    expected = example["response"]
    assert answer["data"] == expected["data"]
    assert answer["extensions"] == expected["extensions"]
    errors = [{**error, "locations": []} for error in answer.get("errors", [])]
    assert errors == [{**error, "locations": []} for error in expected.get("errors", [])]


def test_the_recorded_array_that_is_too_long(
    ask: Ask, put: Callable[..., None], recorded: Callable[[str], Any]
) -> None:
    put(1)
    expected = recorded("tags_mutations")[5]["response"]
    answer = ask(ADD, id=ONE, tags=["a"] * 251)
    assert answer["extensions"] == expected["extensions"]
    assert "data" not in answer
    [error] = answer["errors"]
    assert error["message"] == expected["errors"][0]["message"]
    assert error["extensions"] == expected["errors"][0]["extensions"]
    assert error["path"] == ["tagsAdd", "tags"]


def test_commas_split_and_blanks_vanish(ask: Ask, put: Callable[..., None]) -> None:
    put(1)
    assert tags_after(ask, "x, y", " z ", ",", "") == ["x", "y", "z"]


def test_a_spelling_that_is_there_stays(ask: Ask, put: Callable[..., None]) -> None:
    put(1, "VIP")
    assert tags_after(ask, "vip", "Vip") == ["VIP"]


def test_the_first_spelling_of_the_shop_wins(ask: Ask, put: Callable[..., None]) -> None:
    put(2, "a")
    put(1)
    assert tags_after(ask, "A") == ["a"]


def test_the_list_is_sorted_without_regard_to_case(ask: Ask, put: Callable[..., None]) -> None:
    put(1, "Zebra")
    assert tags_after(ask, "b", "A", "c") == ["A", "b", "c", "Zebra"]


def test_removing_ignores_case_and_what_is_absent(ask: Ask, put: Callable[..., None]) -> None:
    put(1, "VIP", "Old")
    answer = ask(BOTH, id=ONE, add=[], remove=["vip", "never"])["data"]["removed"]
    assert answer == {"node": {"id": ONE, "tags": ["Old"]}, "userErrors": []}


def test_250_tags_are_the_most(ask: Ask, put: Callable[..., None], sandbox: ShopifySandbox) -> None:
    put(1, *(f"t{n}" for n in range(249)))
    assert len(tags_after(ask, "last")) == 250
    answer = ask(ADD, id=ONE, tags=["one more"])["data"]["tagsAdd"]
    assert answer["userErrors"] == [{"field": ["tags"], "message": "Tags cannot be more than 250"}]
    assert len(sandbox.tags()["1"]) == 250


def test_255_characters_are_the_most(ask: Ask, put: Callable[..., None]) -> None:
    put(1)
    assert tags_after(ask, "x" * 255) == ["x" * 255]
    answer = ask(ADD, id=ONE, tags=["x" * 256])["data"]["tagsAdd"]
    message = "Tags is too long (maximum is 255 characters)"
    assert answer["userErrors"] == [{"field": ["tags"], "message": message}]


def test_a_change_of_tags_changes_the_customer(
    ask: Ask, put: Callable[..., None], sandbox: ShopifySandbox, start: datetime
) -> None:
    put(1, "VIP")
    unchanged = ask(ADD, id=ONE, tags=["VIP"])["data"]["tagsAdd"]["node"]["updatedAt"]
    assert unchanged == "2026-11-19T09:00:00Z"
    sandbox.clock.advance(7)
    changed = ask(ADD, id=ONE, tags=["New"])["data"]["tagsAdd"]["node"]["updatedAt"]
    assert changed == "2026-11-20T09:00:07Z"
    assert sandbox.projection()[0][0].updated_at == start + timedelta(seconds=7)


def test_by_hand_the_whole_list_is_replaced(
    put: Callable[..., None], sandbox: ShopifySandbox
) -> None:
    put(1, "VIP", "Old")
    sandbox.set_tags("1", ["By hand"])
    assert sandbox.tags() == {"1": {"By hand"}}


def test_a_user_error_has_no_code(ask: Ask) -> None:
    answer = ask(ADD.replace("field message", "field message code"), id=ONE, tags=["a"])
    [error] = answer["errors"]
    assert error["message"] == "Field 'code' doesn't exist on type 'UserError'"
    assert "data" not in answer
    assert "extensions" not in answer
