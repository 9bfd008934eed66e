"""``docs/rules.md`` names everything that rules can say, and nothing that they cannot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segmentd.segmenter.check import check
from segmentd.segmenter.fields import FIELDS, FUNCTIONS
from segmentd.segmenter.parser import parse

REFERENCE = (Path(__file__).parents[3] / "docs/rules.md").read_text("utf-8")
EXAMPLES = [
    line
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE)
    if not kind
    for line in block.splitlines()
]


def test_every_field_is_described() -> None:
    assert [name for name in FIELDS if f"`{name}`" not in REFERENCE] == []


@pytest.mark.parametrize("function", ["orders_placed", "products_purchased"])
def test_every_parameter_is_described(function: str) -> None:
    table = REFERENCE.partition(f"| `{function}` |")[2].partition("\n\n")[0]
    parameters = FUNCTIONS[function].parameters
    assert [name for name in parameters if f"`{name}`" not in table] == []


def test_every_function_is_named() -> None:
    names = {name.replace("storefront_event.", "storefront.") for name in FUNCTIONS}
    last_words = {name if name in REFERENCE else name.rpartition(".")[2] for name in names}
    assert [name for name in last_words if name not in REFERENCE] == []


@pytest.mark.parametrize("rule", EXAMPLES)
def test_examples_are_rules(rule: str) -> None:
    check(parse(rule))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 15
