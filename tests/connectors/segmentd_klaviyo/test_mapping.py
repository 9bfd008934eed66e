"""Words of Klaviyo to ours, with real shapes of answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd_klaviyo.mapping import (
    Problem,
    address,
    any_of,
    email_of,
    failures,
    import_body,
    import_problem,
    list_body,
    members_body,
    next_query,
    portions,
    problems,
    profile_body,
    query_of,
    quotable,
)

EXAMPLES = Path(__file__).parent / "examples"


def example(number: str) -> dict[str, Any]:
    (path,) = EXAMPLES.glob(f"{number}-*.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_a_refused_import_points_at_its_row() -> None:
    (problem,) = problems(example("06")["response"])
    assert problem.row == 0
    assert problem.reason == "Invalid input (invalid)"


def test_a_conflict_of_identifiers_is_named_so() -> None:
    (problem,) = problems(example("03")["response"])
    assert problem.row is None
    assert problem.reason.startswith("identity conflict: ")


def test_a_bad_parameter_is_about_the_request() -> None:
    (problem,) = problems(example("20")["response"])
    assert (problem.parameter, problem.row) == ("include", None)


def test_an_import_error_is_matched_by_the_address_that_comes_back() -> None:
    (error,) = example("08")["response"]["data"]
    problem = import_problem(error)
    emails = ["grace.hopper@example..org", "ada.lovelace@example.com"]
    assert failures([problem], emails) == {"grace.hopper@example..org": problem}


def test_an_import_error_without_address_is_matched_by_its_pointer() -> None:
    (error,) = example("08")["response"]["data"]
    del error["attributes"]["original_payload"]
    problem = import_problem(error)
    assert failures([problem], ["a@shopper.example", "b@shopper.example"]) == {
        "b@shopper.example": problem
    }


def test_an_import_error_that_names_no_row_is_matched_to_none() -> None:
    assert failures([Problem("invalid", "no", pointer="/data")], ["a@shopper.example"]) == {}


def test_the_address_is_found_in_a_payload_with_attributes_too() -> None:
    error = {"attributes": {"original_payload": {"attributes": {"email": "A@shopper.example "}}}}
    assert import_problem(error).email == "a@shopper.example"


@pytest.mark.parametrize("payload", [None, [], "no", {}, {"errors": "no"}, {"errors": ["no"]}])
def test_what_is_no_error_of_klaviyo_has_no_problems(payload: object) -> None:
    assert problems(payload) == []


def test_the_last_page_is_known_by_an_absent_or_a_null_link() -> None:
    assert next_query(example("14")["response"]) is None
    assert next_query({"links": {"self": "https://a.klaviyo.com/", "next": None}}) is None
    assert next_query({}) is None


def test_a_further_page_is_asked_for_with_the_links_own_query() -> None:
    payload = example("13")["response"]
    query = next_query(payload)
    assert query is not None
    cursor = query_of(query)["page[cursor]"]
    assert cursor
    assert not cursor.startswith("=")
    assert quote(cursor) in payload["links"]["next"]


def test_addresses_come_trimmed_and_lower_case_out_of_answers() -> None:
    profile = {"attributes": {"email": " Ada.Lovelace@Example.com"}}
    assert email_of(profile) == "ada.lovelace@example.com"
    assert email_of({"attributes": {"email": None}}) is None


@pytest.mark.parametrize("email", [None, "", "no address", '"quoted"@shopper.example', "a\\b@x.yz"])
def test_what_cannot_be_sent_is_no_address(email: str | None) -> None:
    assert address(email) is None


def test_dots_and_plus_tags_of_addresses_stay() -> None:
    assert address(" A.b+C@Shopper.Example ") == "a.b+c@shopper.example"


def test_bodies_are_those_of_the_examples() -> None:
    sent = import_body("Y6nRLr", ["ada.lovelace@example.com", "grace.hopper@example.org"])
    expected = example("04")["request"]
    for row in expected["data"]["attributes"]["profiles"]["data"]:
        # the address is all that we send of a person
        row["attributes"] = {"email": row["attributes"]["email"]}
        del row["meta"]
    assert sent == expected
    ids = ["01KA0000000000000000000ADA", "01KA0000000000000000000GRA"]
    assert members_body(ids) == example("11")["request"]
    assert members_body(["01KA0000000000000000000KAT"]) == example("12")["request"]


def test_a_new_list_leaves_the_opt_in_to_the_account() -> None:
    expected = example("09")["request"]
    del expected["data"]["attributes"]["opt_in_process"]
    assert list_body("segmentd: VIP") == expected


def test_a_profile_is_its_address_and_nothing_else() -> None:
    assert profile_body("ada@shopper.example")["data"]["attributes"] == {
        "email": "ada@shopper.example"
    }


def test_a_filter_takes_a_list_of_values() -> None:
    assert any_of("name", ["VIP", "Lapsed 90d"]) == 'any(name,["VIP","Lapsed 90d"])'


@pytest.mark.parametrize("name", ['12" vinyl', "back\\slash", "line\nbreak"])
def test_what_would_break_a_filter_is_known(name: str) -> None:
    assert not quotable(name)
    assert quotable("Café, d'été (100 %)")


@given(st.lists(st.integers(1, 7000), max_size=250))
def test_portions_keep_everything_in_order_and_stay_small(lengths: list[int]) -> None:
    values = [f"{index}{'@' * length}" for index, length in enumerate(lengths)]
    parts = list(portions(values))
    assert [value for part in parts for value in part] == values
    for part in parts:
        assert 1 <= len(part) <= 100
        assert len(quote(any_of("email", part), safe="")) <= 6100 or len(part) == 1


def test_a_portion_has_a_hundred_values_at_most() -> None:
    assert [len(part) for part in portions(["x"] * 250)] == [100, 100, 50]
